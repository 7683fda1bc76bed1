//! A vector that is cheap to copy.

use std::ops::Index;
use std::sync::Arc;

/// How many elements share a page.
const PAGE: usize = 128;

/// A growable array whose clones share their pages until one of them changes.
///
/// A clone costs one reference count; the first change of an element after it copies the element's page, and the list of
/// pages. So a writer can go on while readers keep the array as it was.
#[derive(Clone, Debug)]
pub struct PagedVec<T> {
    pages: Arc<Vec<Arc<Vec<T>>>>,
    len: usize,
}

impl<T: Clone> PagedVec<T> {
    /// An empty array.
    pub fn new() -> Self {
        Self { pages: Arc::default(), len: 0 }
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The element at `at`; `None` behind the end.
    pub fn get(&self, at: usize) -> Option<&T> {
        self.pages.get(at / PAGE)?.get(at % PAGE)
    }

    /// The element at `at`, to be changed; `None` behind the end.
    pub fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        if at >= self.len {
            return None;
        }
        let page = &mut Arc::make_mut(&mut self.pages)[at / PAGE];
        Arc::make_mut(page).get_mut(at % PAGE)
    }

    /// Adds an element at the end.
    pub fn push(&mut self, element: T) {
        let pages = Arc::make_mut(&mut self.pages);
        if self.len.is_multiple_of(PAGE) {
            pages.push(Arc::new(Vec::with_capacity(PAGE)));
        }
        let page = pages.last_mut().expect("a page was added when the last one was full");
        Arc::make_mut(page).push(element);
        self.len += 1;
    }

    /// The elements, in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.pages.iter().flat_map(|page| page.iter())
    }
}

impl<T: Clone> Default for PagedVec<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Clone> Index<usize> for PagedVec<T> {
    type Output = T;

    fn index(&self, at: usize) -> &T {
        &self.pages[at / PAGE][at % PAGE]
    }
}

impl<T: Clone> FromIterator<T> for PagedVec<T> {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        let mut array = Self::new();
        elements.into_iter().for_each(|element| array.push(element));
        array
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_vector_whose_copies_stay(changes in prop::collection::vec((any::<bool>(), 0usize..600, any::<u8>()), 0..600)) {
            let (mut array, mut plain) = (PagedVec::new(), Vec::new());
            let mut copies = Vec::new();
            for (push, at, value) in changes {
                if push || plain.is_empty() {
                    array.push(value);
                    plain.push(value);
                } else {
                    *array.get_mut(at % plain.len()).unwrap() = value;
                    let at = at % plain.len();
                    plain[at] = value;
                }
                if value == 7 {
                    copies.push((array.clone(), plain.clone()));
                }
            }
            copies.push((array, plain));
            for (array, plain) in copies {
                prop_assert_eq!(array.len(), plain.len());
                prop_assert_eq!(array.iter().copied().collect::<Vec<_>>(), plain.clone());
                prop_assert_eq!(array.get(plain.len()), None);
            }
        }
    }
}
