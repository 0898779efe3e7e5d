//! The integration tests, in one binary.

mod audit;
mod bad_specs;
mod claims;
mod cli;
mod corpus;
mod costs;
mod explain;
mod fuzz;
mod good_specs;
mod lockstep;
mod messages;
mod modes;
mod mutants;
mod necessity;
mod properties;
mod random;
mod readme;
mod runs;
mod schema;
mod scopes;
mod spec_format;
mod stories;
mod tidy;
mod tutorial;
mod twins;
mod writer;
