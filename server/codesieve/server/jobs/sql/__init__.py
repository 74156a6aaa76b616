"""The jobs' store in a database: what its tables are (`tables`), how values are kept in them (`codec`), how a database is
reached and kept up to date (`database`), which jobs nobody holds (`free`), what its troubles are (`trouble`), and the store
itself (`store`)."""
