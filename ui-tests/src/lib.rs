//! Programs that must not compile, with the texts that say why, and programs that must.
