//! Series
