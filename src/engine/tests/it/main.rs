//! What shows that the engine works. One binary, so that everything is linked once.

mod agree;
mod atc;
mod batch;
mod commands;
mod faults;
mod fuzz;
mod hostile;
mod hypervisor;
mod random;
mod support;
mod traces;
mod vectors;
