//! Columns of floats, one behind the other in blocks that are never moved.

use super::ABSENT;

/// The most floats of a block that has several columns: 64 KiB.
const BLOCK_FLOATS: usize = 8192;
/// A column of so many floats may be a block of its own; shorter ones are put together, and no block has room for less.
const OWN_BLOCK_FLOATS: usize = 64;

/// Columns of floats.
#[derive(Clone, Debug, Default)]
pub(super) struct Floats {
    /// None is ever moved to make room: many columns never take twice what they need.
    blocks: Vec<Vec<f64>>,
    /// The block that may have room for more.
    open: usize,
    /// How many floats the blocks have room for.
    capacity: usize,
}

/// Where a column begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) block: u32,
    pub(super) at: u32,
}

impl Floats {
    /// Begins a column of so many absent floats.
    pub(super) fn start(&mut self, len: usize) -> Place {
        let (place, block) = self.room_for(len);
        block.resize(block.len() + len, ABSENT);
        place
    }

    /// Adds a copy of a column.
    pub(super) fn copy(&mut self, column: &[f64]) -> Place {
        let (place, block) = self.room_for(column.len());
        block.extend_from_slice(column);
        place
    }

    /// Adds a column, without copying it if it is long.
    pub(super) fn adopt(&mut self, column: Vec<f64>) -> Place {
        if column.len() < OWN_BLOCK_FLOATS {
            return self.copy(&column);
        }
        self.capacity += column.capacity();
        self.blocks.push(column);
        Place { block: self.blocks.len() as u32 - 1, at: 0 }
    }

    /// Adds the columns of another one, whose blocks are behind so many then.
    pub(super) fn append(&mut self, mut other: Self) -> u32 {
        let shift = self.blocks.len() as u32;
        self.capacity += other.capacity;
        self.blocks.append(&mut other.blocks);
        shift
    }

    /// So many floats from a place on.
    pub(super) fn column(&self, place: Place, len: usize) -> &[f64] {
        &self.blocks[place.block as usize][place.at as usize..][..len]
    }

    pub(super) fn column_mut(&mut self, place: Place, len: usize) -> &mut [f64] {
        &mut self.blocks[place.block as usize][place.at as usize..][..len]
    }

    /// The column that was started last, which begins here.
    pub(super) fn last(&self, place: Place) -> &[f64] {
        &self.blocks[place.block as usize][place.at as usize..]
    }

    pub(super) fn last_mut(&mut self, place: Place) -> &mut [f64] {
        &mut self.blocks[place.block as usize][place.at as usize..]
    }

    /// Keeps these floats of the column that was started last, which begins here.
    pub(super) fn cut_last(&mut self, place: Place, from: usize, to: usize) {
        let at = place.at as usize;
        let block = &mut self.blocks[place.block as usize];
        if from > 0 {
            block.copy_within(at + from..at + to, at);
        }
        block.truncate(at + to - from);
    }

    /// All columns, one behind the other.
    pub(super) fn blocks(&self) -> impl Iterator<Item = &[f64]> {
        self.blocks.iter().map(Vec::as_slice)
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.capacity * size_of::<f64>() + self.blocks.capacity() * size_of::<Vec<f64>>()
    }

    /// A block that has room for so many floats, and where they go. Blocks grow with what there is, so that a table of few
    /// series is small.
    fn room_for(&mut self, len: usize) -> (Place, &mut Vec<f64>) {
        let has_room = self.blocks.get(self.open).is_some_and(|block| block.capacity() - block.len() >= len);
        if !has_room {
            let columns =
                self.capacity.clamp(OWN_BLOCK_FLOATS, BLOCK_FLOATS).checked_div(len).unwrap_or_default().max(1);
            let block = Vec::with_capacity(columns * len);
            self.capacity += block.capacity();
            self.open = self.blocks.len();
            self.blocks.push(block);
        }
        let block = &mut self.blocks[self.open];
        (Place { block: self.open as u32, at: block.len() as u32 }, block)
    }
}
