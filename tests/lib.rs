//! Nothing but the tests beside it, and those that need no binary of their own.

#[cfg(test)]
mod counted;
#[cfg(test)]
mod long_chains;
#[cfg(test)]
mod serialized;
