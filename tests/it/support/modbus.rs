//! A Modbus TCP server that is not ours: it knows "Read Holding Registers" (of one), "Write Single Coil" and "Write Single
//! Register", and answers as the specification says (MODBUS Application Protocol 1.1b3, 6.3, 6.5 and 6.6; MODBUS Messaging on
//! TCP/IP 1.0b, 3.1.3). Only unit 7 is there.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

/// What the server holds and has seen.
#[derive(Default)]
struct Memory {
    /// How coils were switched, in order.
    coils: Vec<(u16, bool)>,
    /// How registers were written, in order.
    written: Vec<(u16, u16)>,
    registers: BTreeMap<u16, u16>,
    /// Whether it hangs up on whoever connects.
    away: bool,
    open: Vec<TcpStream>,
}

/// The server, on a free port.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    memory: Arc<(Mutex<Memory>, Condvar)>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, memory) = (listener.local_addr().unwrap(), Arc::<(Mutex<Memory>, Condvar)>::default());
        let shared = Arc::clone(&memory);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut held = shared.0.lock().unwrap();
                if held.away {
                    continue;
                }
                held.open.push(stream.try_clone().unwrap());
                let memory = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, &memory));
            }
        });
        Self { address, memory }
    }

    /// How a coil was switched, in order.
    pub(crate) fn coil(&self, number: u16) -> Vec<bool> {
        let memory = self.memory.0.lock().unwrap();
        memory.coils.iter().filter(|(coil, _)| *coil == number).map(|(_, on)| *on).collect()
    }

    /// Waits until a coil was written so often.
    pub(crate) fn wait_for_coil(&self, number: u16, count: usize) {
        let few = |memory: &mut Memory| memory.coils.iter().filter(|(coil, _)| *coil == number).count() < count;
        drop(self.memory.1.wait_while(self.memory.0.lock().unwrap(), few).unwrap());
    }

    /// How a register was written, in order.
    pub(crate) fn register(&self, number: u16) -> Vec<u16> {
        let memory = self.memory.0.lock().unwrap();
        memory.written.iter().filter(|(register, _)| *register == number).map(|(_, value)| *value).collect()
    }

    /// Waits until a register was written so often.
    pub(crate) fn wait_for_register(&self, number: u16, count: usize) {
        let few =
            |memory: &mut Memory| memory.written.iter().filter(|(register, _)| *register == number).count() < count;
        drop(self.memory.1.wait_while(self.memory.0.lock().unwrap(), few).unwrap());
    }

    /// Puts a number into a register.
    pub(crate) fn set(&self, register: u16, value: u16) {
        self.memory.0.lock().unwrap().registers.insert(register, value);
    }

    /// Hangs up on everybody, and on whoever connects as long as it is away.
    pub(crate) fn go_away(&self, away: bool) {
        let mut memory = self.memory.0.lock().unwrap();
        memory.away = away;
        memory.open.drain(..).for_each(|stream| _ = stream.shutdown(Shutdown::Both));
    }
}

fn serve(mut stream: TcpStream, (memory, more): &(Mutex<Memory>, Condvar)) {
    // Transaction, protocol 0, length, unit; then the function and two words.
    let mut request = [0; 12];
    while stream.read_exact(&mut request).is_ok() {
        let word = |at: usize| u16::from_be_bytes([request[at], request[at + 1]]);
        assert_eq!((word(2), word(4), request[6]), (0, 6, 7), "{request:?}");
        let (at, value) = (word(8), word(10));
        let mut held = memory.lock().unwrap();
        let answer = match (request[7], value) {
            (3, 1) => {
                let [high, low] = held.registers.get(&at).copied().unwrap_or_default().to_be_bytes();
                // The length is that of unit, function, count of bytes and the bytes.
                [&request[..4], &[0, 5, 7, 3, 2, high, low]].concat()
            }
            (5, 0 | 0xFF00) => {
                held.coils.push((at, value != 0));
                request.to_vec()
            }
            (6, _) => {
                held.written.push((at, value));
                held.registers.insert(at, value);
                request.to_vec()
            }
            other => panic!("{other:?} is no function, or no value, that this server knows"),
        };
        drop(held);
        more.notify_all();
        if stream.write_all(&answer).is_err() {
            return;
        }
    }
}
