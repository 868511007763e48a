//! `reef demo`: the whole of Reef on an embedded cluster, in one process, to be looked at.
//!
//! Only the other parties are simulated: the controller and the daemons are the ones that run in production, over real HTTP, real unix
//! sockets and a real Git repository.

mod difference;
pub mod example;
pub mod forecast;
pub mod live;
pub mod observer;
pub mod repository;
pub mod request;
pub mod tour;
pub mod world;
