//! Which pages of a block are damaged.

use std::ops::Range;

use series::QueryError;

use crate::BlockReader;
use crate::group::DataPage;
use crate::index::Index;
use crate::labels::values_page_name;
use crate::page::{Page, PageName};

/// A page that is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageFault {
    /// Where it lies in the file, in bytes.
    pub range: Range<u64>,
    /// Which page it is and what is wrong with it.
    pub what: String,
}

/// Looks at the checksum of every page, and says all that are wrong. The data of a group whose index page is damaged are not
/// looked at: nobody knows where they are.
///
/// # Errors
/// [`QueryError::Unavailable`] if the block can't be read.
pub async fn damaged_pages(reader: &BlockReader) -> Result<Vec<PageFault>, QueryError> {
    let index = reader.index();
    let footer = &index.footer;
    let mut faults = Vec::new();
    let mut pages: Vec<Page> = (0..footer.times.len()).map(|at| index.times_page(at)).collect();
    pages.push(footer.directory.page(PageName::Directory));
    for label in &footer.labels {
        let values = label.pages.iter().enumerate();
        pages.extend(values.map(|(at, page)| page.page(values_page_name(&label.name, at))));
    }
    for page in &pages {
        check(index, page, &mut faults).await?;
    }
    for (at, group) in footer.groups.iter().enumerate() {
        let page = group.index.page(PageName::Index(at));
        match index.load_groups(&[at]).await {
            Ok(()) => {
                for page in data_pages(index, at) {
                    check(index, &page, &mut faults).await?;
                }
            }
            Err(QueryError::Corrupt(what)) => faults.push(PageFault { range: page.range, what }),
            Err(error) => return Err(error),
        }
    }
    faults.sort_by_key(|fault| fault.range.start);
    Ok(faults)
}

async fn check(index: &Index, page: &Page, faults: &mut Vec<PageFault>) -> Result<(), QueryError> {
    match index.pages.read(std::slice::from_ref(page)).await {
        Ok(_) => Ok(()),
        Err(QueryError::Corrupt(what)) => {
            faults.push(PageFault { range: page.range.clone(), what });
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// The data pages of a group whose index page is loaded.
pub(super) fn data_pages(index: &Index, at: usize) -> Vec<Page> {
    let start = index.footer.groups[at].data_start;
    let page = |(page, of): (usize, &DataPage)| Page {
        name: PageName::Data { group: at, page },
        range: start + of.range.start..start + of.range.end,
        checksum: of.checksum,
    };
    index.group(at).data_pages().iter().enumerate().map(page).collect()
}
