//! What is kept of a block once it was read: its footer, the index pages of groups, the directory of timestamps.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use model::{METRIC_NAME, MatchOp, Matcher, TimeRange, Timestamp};
use series::QueryError;

use crate::ByteRanges;
use crate::error::Damage;
use crate::footer::{Footer, GroupEntry, PageEntry};
use crate::give_way::give_way;
use crate::group::Group;
use crate::page::{Page, PageName};
use crate::pages::Pages;
use crate::times::Directory;

/// What says where in a block something is.
#[derive(Debug)]
pub(crate) struct Index {
    pub(crate) pages: Pages,
    pub(crate) footer: Footer,
    groups: Box<[OnceLock<Group>]>,
    directory: OnceLock<Directory>,
}

impl Index {
    /// Reads the end of a block.
    pub(crate) async fn open(name: Arc<str>, source: Arc<dyn ByteRanges>) -> Result<Self, QueryError> {
        let (pages, footer) = Pages::open(name, source).await?;
        let groups = footer.groups.iter().map(|_| OnceLock::new()).collect();
        Ok(Self { pages, footer, groups, directory: OnceLock::new() })
    }

    /// The groups that may have series that match, with samples in the range: as much as the footer knows.
    pub(crate) fn candidates(&self, matchers: &[Matcher], range: TimeRange) -> Vec<usize> {
        let lacks = |matcher: &Matcher| !matcher.matches_empty() && self.footer.label(matcher.name()).is_none();
        if matchers.iter().any(lacks) {
            return Vec::new();
        }
        let may_match = |group: &GroupEntry| {
            let times = TimeRange::inclusive(Timestamp(group.first), Timestamp(group.last));
            times.overlaps(range) && matchers.iter().all(|matcher| metrics_may_match(group, matcher))
        };
        let groups = self.footer.groups.iter().enumerate();
        groups.filter(|(_, group)| may_match(group)).map(|(at, _)| at).collect()
    }

    /// Makes sure that the index pages of these groups are at hand.
    ///
    /// # Errors
    /// If they cannot be read.
    pub(crate) async fn load_groups(&self, groups: &[usize]) -> Result<(), QueryError> {
        self.load(groups, false).await
    }

    /// Makes sure that the index pages of these groups and the directory of timestamps are at hand.
    ///
    /// # Errors
    /// If they cannot be read.
    pub(crate) async fn load_all_of(&self, groups: &[usize]) -> Result<(), QueryError> {
        self.load(groups, self.directory.get().is_none()).await
    }

    async fn load(&self, groups: &[usize], with_directory: bool) -> Result<(), QueryError> {
        let missing: Vec<_> = groups.iter().copied().filter(|at| self.groups[*at].get().is_none()).collect();
        let mut pages: Vec<Page> = missing.iter().map(|at| self.index_page(*at)).collect();
        if with_directory {
            pages.push(self.footer.directory.page(PageName::Directory));
        }
        let mut read = self.pages.read(&pages).await?;
        if with_directory {
            let bytes = read.pop().unwrap_or_default();
            let page = self.footer.directory;
            let times_bytes = self.footer.times.iter().map(|page| page.bytes).sum();
            let directory = page.decompress(&bytes).and_then(|raw| Directory::decode(&raw, page.held, times_bytes));
            let directory = directory.map_err(|damage| self.corrupt(&PageName::Directory, page.start, &damage))?;
            // Whoever else read it meanwhile read the same.
            let _ = self.directory.set(directory);
        }
        for (at, bytes) in missing.into_iter().zip(read) {
            let entry = &self.footer.groups[at];
            let raw = entry.index.decompress(&bytes);
            let group = raw.and_then(|raw| Group::decode(&raw, entry.index.held, entry.data_bytes));
            let group = group.map_err(|damage| self.corrupt_index(at, &damage))?;
            let _ = self.groups[at].set(group);
            give_way().await;
        }
        Ok(())
    }

    /// A group that was loaded.
    pub(crate) fn group(&self, at: usize) -> &Group {
        self.groups[at].get().expect("whoever asks has loaded it")
    }

    /// The directory, which was loaded.
    pub(crate) fn directory(&self) -> &Directory {
        self.directory.get().expect("whoever asks has loaded it")
    }

    /// Where columns of timestamps are: for each its page, its number, and its bytes within the page.
    ///
    /// The columns must ascend, and be columns of the directory, which must be loaded.
    pub(crate) fn locate_columns(
        &self,
        columns: impl Iterator<Item = usize>,
    ) -> Result<Vec<(usize, usize, Range<usize>)>, QueryError> {
        let mut located = Vec::new();
        let mut pages = self.footer.times.iter().copied().enumerate();
        let (mut page, mut entry) = (0, PageEntry::default());
        // The first byte of the page in all pages together, and the first column of the next page.
        let [mut page_start, mut next_column] = [0, 0];
        for column in columns {
            while column as u64 >= next_column {
                page_start += entry.bytes;
                (page, entry) = pages.next().expect("the pages hold as many columns as the directory");
                next_column += entry.held;
            }
            let range = self.directory().range(column);
            if range.start < page_start || range.end > page_start + entry.bytes {
                let damage = Damage::Structure("a column of timestamps leaves its page");
                return Err(self.corrupt(&PageName::Times(page), entry.start, &damage));
            }
            let range = (range.start - page_start) as usize..(range.end - page_start) as usize;
            located.push((page, column, range));
        }
        Ok(located)
    }

    /// A page of timestamps.
    pub(crate) fn times_page(&self, at: usize) -> Page {
        self.footer.times[at].page(PageName::Times(at))
    }

    /// The index page of a group.
    pub(crate) fn index_page(&self, at: usize) -> Page {
        self.footer.groups[at].index.page(PageName::Index(at))
    }

    /// That a page is damaged.
    pub(crate) fn corrupt(&self, page: &PageName, offset: u64, damage: &Damage) -> QueryError {
        self.pages.corrupt(page, offset, damage)
    }

    /// That the index page of a group is damaged.
    pub(crate) fn corrupt_index(&self, at: usize, damage: &Damage) -> QueryError {
        self.corrupt(&PageName::Index(at), self.footer.groups[at].index.start, damage)
    }

    /// About how many bytes are held in memory. Grows as groups are read.
    pub(crate) fn size_bytes(&self) -> usize {
        let groups = self.groups.iter().filter_map(OnceLock::get).map(Group::size_bytes);
        let directory = self.directory.get().map_or(0, Directory::size_bytes);
        self.pages.size_bytes() + self.footer.size_bytes() + groups.sum::<usize>() + directory
    }
}

/// Whether a group's metric names allow that a series of it passes the matcher.
fn metrics_may_match(group: &GroupEntry, matcher: &Matcher) -> bool {
    if matcher.name() != METRIC_NAME {
        return true;
    }
    if group.first_metric == group.last_metric {
        return matcher.matches(&group.first_metric);
    }
    matcher.op() != MatchOp::Equal || (&*group.first_metric..=&*group.last_metric).contains(&matcher.value())
}
