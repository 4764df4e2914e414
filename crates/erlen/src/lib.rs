//! Erlen.
pub mod engine;
pub use engine::Cors;
