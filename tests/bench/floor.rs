//! The floors: what the same work costs with nothing around it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use fast_image_resize as fir;
use kenpin::clock::Monotonic;
use kenpin::config::Runtime;
use kenpin::flow::acquire::decode::read_image;
use kenpin::flow::infer::backend::Backend;
use kenpin::flow::infer::prepare::Preparation;
use kenpin::flow::infer::session::{Session, Tensor};
use kenpin::flow::pool::Pool;
use kenpin::models::passport::Model;

/// CPU and wall milliseconds of one stretch of work.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spent {
    pub(crate) cpu: f64,
    pub(crate) wall: f64,
}

/// Measures `work`, all threads of the process together.
pub(crate) fn spend<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(Spent, T)> {
    let (cpu, wall) = (process_cpu_ms(), Monotonic::now());
    let done = work()?;
    let wall = kenpin::clock::milliseconds(Monotonic::now().since(wall));
    Ok((Spent { cpu: process_cpu_ms() - cpu, wall }, done))
}

fn process_cpu_ms() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

/// The bare pieces of one case.
pub(crate) struct Floor {
    session: Box<dyn Session>,
    tensors: Vec<Vec<Tensor>>,
    side: (u32, u32),
}

/// What the floors of one round cost.
pub(crate) struct Floors {
    pub(crate) bare: Spent,
    pub(crate) decode: Spent,
    pub(crate) resize: Spent,
}

impl Floor {
    /// Opens the model and prepares every tensor beforehand.
    pub(crate) fn open(model: &Path, runtime: &Runtime, images: &[PathBuf]) -> anyhow::Result<Self> {
        let model = Model::load(model)?;
        let session = Backend::choose(runtime)?.open(&model, runtime)?;
        let mut preparation = Preparation::new(&model.passport.images()).map_err(|why| anyhow!(why))?;
        let pool = Pool::new(1);
        let tensors = images.iter().map(|path| {
            let image = read_image(path, &pool).map_err(|why| anyhow!(why))?;
            Ok(preparation.prepare(&image).map_err(|why| anyhow!(why))?.to_vec())
        });
        let tensors = tensors.collect::<anyhow::Result<_>>()?;
        let (height, width, _) = model.passport.images()[0].height_width_channels();
        Ok(Self { session, tensors, side: (u32::try_from(width)?, u32::try_from(height)?) })
    }

    /// One round over all images.
    pub(crate) fn round(&mut self, images: &[PathBuf]) -> anyhow::Result<Floors> {
        let (bare, ()) = spend(|| {
            for tensor in &self.tensors {
                std::hint::black_box(self.session.run(tensor)?);
            }
            Ok(())
        })?;
        let (decode, pictures) = spend(|| {
            images.iter().map(|path| Ok(image::open(path)?.into_luma8())).collect::<anyhow::Result<Vec<_>>>()
        })?;
        let (width, height) = self.side;
        let (resize, ()) = spend(|| {
            let options = fir::ResizeOptions::new().resize_alg(fir::ResizeAlg::Convolution(fir::FilterType::Bilinear));
            let mut small = fir::images::Image::new(width, height, fir::PixelType::U8);
            let mut resizer = fir::Resizer::new();
            for picture in &pictures {
                let source =
                    fir::images::ImageRef::new(picture.width(), picture.height(), picture, fir::PixelType::U8)?;
                resizer.resize(&source, &mut small, &options).context("resize")?;
            }
            Ok(())
        })?;
        Ok(Floors { bare, decode, resize })
    }
}
