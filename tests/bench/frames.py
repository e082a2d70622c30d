"""Writes the frames of the bench: mosaics of ELPV cells, 1280x720.

    frames.py ELPV LIST FOLDER    FOLDER/jpeg/part-NN.jpg and FOLDER/yuyv/part-NN.yuyv for NN from 00 to 31

ELPV is the folder of the images, LIST the file that names those to take. Each frame is five by three cells at their own
size, 300 pixels, cut to 1280x720: nothing is resampled. The cells are grey; the JPEG files are colour files all the same
(quality 90, chroma at half size both ways, as cameras write them), so decoding chroma is cheaper than on coloured goods.
The .yuyv files hold the same pixels as two luminance bytes with one pair of chroma bytes between them (BT.601,
limited range, as V4L2 cameras give them), raw. Packages: numpy, opencv-python-headless.
"""

import sys
from pathlib import Path

import cv2
import numpy as np

FRAMES, ACROSS, DOWN = 32, 5, 3
WIDTH, HEIGHT = 1280, 720


def main():
    images, names, folder = Path(sys.argv[1]), Path(sys.argv[2]).read_text().split(), Path(sys.argv[3])
    for kind in ("jpeg", "yuyv"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    size = ACROSS * DOWN
    for number in range(FRAMES):
        cells = [cv2.imread(str(images / f"{name}.png"), cv2.IMREAD_GRAYSCALE)
                 for name in names[number * size:(number + 1) * size]]
        rows = [np.hstack(cells[row * ACROSS:(row + 1) * ACROSS]) for row in range(DOWN)]
        frame = cv2.cvtColor(np.vstack(rows)[:HEIGHT, :WIDTH], cv2.COLOR_GRAY2BGR)
        written, jpeg = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 90])
        assert written and frame.shape == (HEIGHT, WIDTH, 3)
        (folder / "jpeg" / f"part-{number:02}.jpg").write_bytes(jpeg.tobytes())
        (folder / "yuyv" / f"part-{number:02}.yuyv").write_bytes(cv2.cvtColor(frame, cv2.COLOR_BGR2YUV_YUY2).tobytes())


if __name__ == "__main__":
    main()
