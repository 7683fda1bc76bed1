//! Label names and values of a block.

use std::collections::BTreeSet;

use model::Matcher;
use series::{Charge, LabelQuery, QueryError, Texts};

use crate::error::Damage;
use crate::footer::PageEntry;
use crate::give_way::give_way;
use crate::group::Group;
use crate::index::Index;
use crate::page::{Page, PageName};
use crate::texts;

/// The names of the labels of series that match. Without matchers the footer knows them.
pub(crate) async fn names(index: &Index, query: LabelQuery) -> Result<Texts, QueryError> {
    if query.matchers.is_empty() {
        let overlaps = index.footer.range().overlaps(query.range);
        let names = index.footer.labels.iter().filter(|_| overlaps).map(|label| &*label.name);
        return Ok(names.collect::<Texts>().cut(query.limit));
    }
    let mut names = Found::new(&query)?;
    for_each_match(index, &query, |group, series| group.names_of(series).try_for_each(|name| names.add(name))).await?;
    Ok(names.texts.iter().collect::<Texts>().cut(query.limit))
}

/// The values of one label of series that match. Without matchers there are pages of them.
pub(crate) async fn values(index: &Index, name: String, query: LabelQuery) -> Result<Texts, QueryError> {
    if query.matchers.is_empty() {
        return listed_values(index, &name, &query).await;
    }
    // A series must have the label: this leaves groups alone that do not.
    let has_label = Matcher::new(model::MatchOp::NotEqual, &name, "");
    let has_label = has_label.map_err(|error| QueryError::Execution(error.to_string()))?;
    let matchers = query.matchers.iter().cloned().chain([has_label]).collect();
    let wanted = LabelQuery { matchers, ..query.clone() };
    let mut values = Found::new(&query)?;
    for_each_match(index, &wanted, |group, series| {
        group.values_of(&name, series).try_for_each(|value| values.add(value))
    })
    .await?;
    Ok(values.texts.iter().collect::<Texts>().cut(query.limit))
}

/// Texts that were found so far, as far as an answer may have them.
struct Found<'a> {
    texts: BTreeSet<String>,
    charge: Charge,
    query: &'a LabelQuery,
}

impl<'a> Found<'a> {
    fn new(query: &'a LabelQuery) -> Result<Self, QueryError> {
        Ok(Self { texts: BTreeSet::new(), charge: query.budget().charge(0, String::new)?, query })
    }

    fn add(&mut self, text: &str) -> Result<(), QueryError> {
        if !self.texts.contains(text) {
            self.charge.grow((text.len() + size_of::<String>()) as u64, || self.query.to_string())?;
            self.texts.insert(text.to_owned());
        }
        Ok(())
    }
}

async fn listed_values(index: &Index, name: &str, query: &LabelQuery) -> Result<Texts, QueryError> {
    let label = index.footer.label(name).filter(|_| index.footer.range().overlaps(query.range));
    let Some(label) = label else { return Ok(Texts::default()) };
    let mut held = 0;
    let enough = |page: &&PageEntry| {
        let wanted = query.limit == 0 || held <= query.limit as u64;
        held = page.held.saturating_add(held);
        wanted
    };
    let wanted: Vec<_> = label.pages.iter().take_while(enough).enumerate().collect();
    let pages: Vec<Page> = wanted.iter().map(|(at, page)| page.page(values_page_name(name, *at))).collect();
    let budget = query.budget();
    let mut charge = budget.charge(0, String::new)?;
    let mut values = Texts::default();
    for ((at, page), bytes) in wanted.into_iter().zip(index.pages.read(&pages).await?) {
        let decoded = decode_values(page, &bytes);
        let decoded = decoded.map_err(|damage| index.corrupt(&values_page_name(name, at), page.start, &damage))?;
        charge.grow(decoded.size_bytes() as u64, || query.to_string())?;
        values.extend(decoded.iter());
    }
    Ok(values.cut(query.limit))
}

/// What is in a page of label values.
pub(crate) fn decode_values(page: &PageEntry, bytes: &[u8]) -> Result<texts::Texts, Damage> {
    let raw = page.decompress(bytes)?;
    texts::decode("values page", &raw, page.held)
}

/// What messages call a page of label values.
pub(crate) fn values_page_name(label: &str, page: usize) -> PageName {
    PageName::Values { label: label.to_owned(), page }
}

/// Shows the groups that have series that match, with these series.
async fn for_each_match(
    index: &Index,
    query: &LabelQuery,
    mut visit: impl FnMut(&Group, &[usize]) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    let candidates = index.candidates(&query.matchers, query.range);
    index.load_groups(&candidates).await?;
    for group in candidates.into_iter().map(|at| index.group(at)) {
        visit(group, &group.select(&query.matchers))?;
        give_way().await;
    }
    Ok(())
}
