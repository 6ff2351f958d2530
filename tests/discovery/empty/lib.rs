//! A library without handlers.
