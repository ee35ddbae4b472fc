//! Fuzz targets over the pure cores.
