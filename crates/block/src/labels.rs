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
        let names = index.footer.labels.iter().filter(|_| overlaps).map(|label| String::from(&*label.name));
        return Ok(limited(names, query.limit));
    }
    let mut names = Found::new(&query)?;
    for_each_match(index, &query, |group, series| group.names_of(series).try_for_each(|name| names.add(name))).await?;
    Ok(limited(names.texts.into_iter(), query.limit))
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
    Ok(limited(values.texts.into_iter(), query.limit))
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
    let mut charges = Vec::new();
    let mut values = Vec::new();
    for ((at, page), bytes) in wanted.into_iter().zip(index.pages.read(&pages).await?) {
        let decoded = decode_values(page, &bytes);
        let decoded = decoded.map_err(|damage| index.corrupt(&values_page_name(name, at), page.start, &damage))?;
        charges.push(query.charge(&budget, &decoded)?);
        values.extend(decoded);
    }
    Ok(limited(values.into_iter(), query.limit))
}

/// What is in a page of label values.
pub(crate) fn decode_values(page: &PageEntry, bytes: &[u8]) -> Result<Vec<String>, Damage> {
    let raw = page.decompress(bytes)?;
    let texts = texts::decode("values page", &raw, page.held)?;
    Ok(texts.iter().map(str::to_owned).collect())
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

/// Not more than `limit` of these texts, if that is not 0.
fn limited(texts: impl Iterator<Item = String>, limit: usize) -> Texts {
    let limit = if limit == 0 { usize::MAX } else { limit };
    let mut texts = texts.fuse();
    let kept = texts.by_ref().take(limit).collect();
    Texts { texts: kept, truncated: texts.next().is_some() }
}
