//! Series with values at many times, as they are answered.

use model::Labels;
use series::QueryError;

use crate::grid::Grid;
use crate::result::MatrixSeries;
use crate::table::Table;
use crate::unique::same_labels;

/// Series with values at many times, sorted by labels.
///
/// What an evaluation made stays as it is until a series is asked for: a big result is not there twice.
#[derive(Clone, Debug)]
pub struct Matrix(Inner);

#[derive(Clone, Debug)]
enum Inner {
    Series(Vec<MatrixSeries>),
    Rows {
        table: Table,
        grid: Grid,
        /// The rows in the order of their labels, of which no two are the same.
        order: Vec<u32>,
    },
}

impl Matrix {
    /// The series of a table.
    ///
    /// # Errors
    /// If two of them have the same labels and a value of one kind at the same time.
    pub(crate) fn of_table(table: Table, grid: Grid) -> Result<Self, QueryError> {
        let mut rows: Vec<(Labels, u32)> =
            table.rows().enumerate().map(|(at, row)| (row.id.clone().into_labels(), at as u32)).collect();
        rows.sort_unstable();
        if rows.windows(2).all(|pair| pair[0].0 != pair[1].0) {
            let order = rows.into_iter().map(|(_, at)| at).collect();
            return Ok(Self(Inner::Rows { table, grid, order }));
        }
        let mut matrix: Vec<MatrixSeries> = Vec::with_capacity(rows.len());
        for (labels, at) in rows {
            let series = series_of_row(&table, at, grid);
            match matrix.last_mut().filter(|last| last.labels == labels) {
                None => matrix.push(series),
                Some(last) => {
                    last.floats.extend(series.floats);
                    last.histograms.extend(series.histograms);
                    put_in_order(last)?;
                }
            }
        }
        Ok(Self(Inner::Series(matrix)))
    }

    /// How many series there are.
    pub fn len(&self) -> usize {
        match &self.0 {
            Inner::Series(series) => series.len(),
            Inner::Rows { order, .. } => order.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A series, by its place among them.
    pub fn get(&self, at: usize) -> Option<MatrixSeries> {
        match &self.0 {
            Inner::Series(series) => series.get(at).cloned(),
            Inner::Rows { table, grid, order } => Some(series_of_row(table, *order.get(at)?, *grid)),
        }
    }

    /// All series, one after the other.
    pub fn iter(&self) -> impl Iterator<Item = MatrixSeries> {
        (0..self.len()).filter_map(|at| self.get(at))
    }

    /// Keeps the first so many series.
    pub fn truncate(&mut self, len: usize) {
        match &mut self.0 {
            Inner::Series(series) => series.truncate(len),
            Inner::Rows { order, .. } => order.truncate(len),
        }
    }

    /// About how many bytes it takes in memory.
    pub(crate) fn size_bytes(&self) -> usize {
        match &self.0 {
            Inner::Series(series) => series.iter().map(series_bytes).sum(),
            Inner::Rows { table, order, .. } => table.size_bytes() + order.capacity() * size_of::<u32>(),
        }
    }
}

impl FromIterator<MatrixSeries> for Matrix {
    /// The series must be sorted by labels.
    fn from_iter<I: IntoIterator<Item = MatrixSeries>>(series: I) -> Self {
        Self(Inner::Series(series.into_iter().collect()))
    }
}

fn series_of_row(table: &Table, at: u32, grid: Grid) -> MatrixSeries {
    let row = table.row(at as usize);
    let mut floats = Vec::with_capacity(row.floats.len());
    floats.extend(row.present_floats().map(|(step, value)| (grid.time(step), value)));
    let histograms = row.histograms.iter().map(|(step, histogram)| (grid.time(*step as usize), histogram.clone()));
    MatrixSeries { labels: row.id.clone().into_labels(), floats, histograms: histograms.collect() }
}

/// # Errors
/// If a time comes twice among values of one kind.
fn put_in_order(series: &mut MatrixSeries) -> Result<(), QueryError> {
    series.floats.sort_by_key(|(time, _)| *time);
    series.histograms.sort_by_key(|(time, _)| *time);
    let has_twice = series.floats.windows(2).any(|pair| pair[0].0 == pair[1].0)
        || series.histograms.windows(2).any(|pair| pair[0].0 == pair[1].0);
    if has_twice { Err(same_labels()) } else { Ok(()) }
}

fn series_bytes(series: &MatrixSeries) -> usize {
    let histograms: usize = series.histograms.iter().map(|(_, histogram)| histogram.size_bytes() + 16).sum();
    series.labels.size_bytes() + series.floats.len() * 16 + histograms + size_of::<MatrixSeries>()
}
