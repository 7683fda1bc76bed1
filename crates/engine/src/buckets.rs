//! Quantiles and fractions of histograms: classic ones, whose buckets are series, and native ones.

mod classic;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;
use model::{BUCKET_LABEL, Histogram, Labels, LabelsBuilder, NanObservations, format_float_label};
use promql::Span;
use series::QueryError;

use crate::annotation::{Annotations, ForcedMonotonicity, Remark};
use crate::grid::Grid;
use crate::identity::{Identity, METADATA_LABELS, Naming};
use crate::ledger::Record;
use crate::scalar::Scalar;
use crate::sink::{Output, Sink};
use crate::table::{Row, Table, is_present};
use crate::watch::Watch;
use classic::{Bucket, bucket_fraction, bucket_quantile};

/// A function of histograms, as it is called.
#[derive(Clone, Debug)]
pub(crate) struct Buckets {
    pub(crate) function: BucketsFunction,
    /// Where the vector stands, and where the numbers stand.
    pub(crate) span: Span,
    pub(crate) scalar_spans: Vec<Span>,
    pub(crate) naming: Naming,
}

#[derive(Clone, Debug)]
pub(crate) enum BucketsFunction {
    Quantile,
    /// Several quantiles, told apart by a label.
    Quantiles {
        label: String,
    },
    Fraction,
}

/// Gathers the buckets of each classic histogram, and all native ones.
pub(crate) struct BucketsSink {
    call: Buckets,
    scalars: Vec<Scalar>,
    grid: Grid,
    series: Table,
    /// Classic histograms by what tells them from others: their labels without the bound of the bucket.
    numbers: HashMap<Labels, usize, RandomState>,
    classic: Vec<ClassicSeries>,
    /// The series that have native histograms.
    native: Vec<usize>,
    label_bytes: usize,
    watch: Watch,
}

struct ClassicSeries {
    id: Identity,
    /// The upper bounds and the series of the buckets.
    buckets: Vec<(f64, u32)>,
}

impl BucketsSink {
    pub(crate) fn new(call: Buckets, scalars: Vec<Scalar>, grid: Grid, watch: Watch) -> Self {
        Self {
            call,
            scalars,
            grid,
            series: Table::new(),
            numbers: HashMap::default(),
            classic: Vec::new(),
            native: Vec::new(),
            label_bytes: 0,
            watch,
        }
    }

    fn see(&mut self, at: usize, row: Row<'_>, record: &mut Record) {
        if !row.histograms.is_empty() {
            self.native.push(at);
        }
        if row.present_floats().next().is_none() {
            return;
        }
        let bound = row.id.value(BUCKET_LABEL);
        let Ok(upper) = bound.parse::<f64>() else {
            let metric = self.call.metric(row.id);
            record.annotations.add(self.call.span, Remark::BadBucketLabel(bound.to_owned()), metric);
            return;
        };
        let id = without_bound(row.id);
        let number = *self.numbers.entry(id.labels()).or_insert_with(|| {
            self.label_bytes += 2 * id.size_bytes();
            self.classic.push(ClassicSeries { id, buckets: Vec::new() });
            self.classic.len() - 1
        });
        self.classic[number].buckets.push((upper, at as u32));
    }

    /// The steps at which a native series is a classic histogram as well: both are left out there.
    fn conflicts(&self, native: Row<'_>) -> Option<(usize, Vec<usize>)> {
        let number = *self.numbers.get(&native.id.labels())?;
        let has_bucket = |step: usize| {
            self.classic[number].buckets.iter().any(|(_, row)| is_present(self.series.row(*row as usize).float(step)))
        };
        let steps = native.histograms.iter().map(|(step, _)| *step as usize).filter(|step| has_bucket(*step));
        Some((number, steps.collect()))
    }
}

impl Sink for BucketsSink {
    fn fold(&mut self, table: Table, record: &mut Record) -> Result<(), QueryError> {
        let start = self.series.len();
        for (at, row) in table.rows().enumerate() {
            self.see(start + at, row, record);
        }
        self.series.append(table);
        Ok(())
    }

    fn finish(mut self: Box<Self>, record: &mut Record) -> Result<Output, QueryError> {
        let annotations = &mut record.annotations;
        let mut left_out: HashMap<usize, Vec<usize>> = HashMap::new();
        let mut native = Vec::new();
        for at in &self.native {
            let row = self.series.row(*at);
            let (number, steps) = self.conflicts(row).unwrap_or_default();
            if !steps.is_empty() {
                annotations.add(self.call.span, Remark::MixedClassicNative, self.call.metric(row.id));
                left_out.entry(number).or_default().extend_from_slice(&steps);
            }
            native.push((row, steps));
        }
        // Sorted once, the buckets of every step are in order; equal bounds stay in the order of their series.
        for series in &mut self.classic {
            series.buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        let mut table = Table::new();
        let mut fallen = Fallen::default();
        for variant in self.call.variants(&self.scalars, self.grid, annotations) {
            for (row, conflicts) in &native {
                self.watch.check()?;
                variant.of_native(*row, conflicts, &self.call, &mut table, annotations, self.grid);
            }
            for (number, series) in self.classic.iter().enumerate() {
                self.watch.check()?;
                let conflicts = left_out.get(&number).map_or(&[][..], Vec::as_slice);
                variant.of_classic(series, &self.series, conflicts, &self.call, &mut table, &mut fallen, self.grid);
            }
        }
        for ((metric, _), forced) in fallen {
            annotations.add_forced_monotonicity(self.call.span, forced, &metric);
        }
        Ok(Output::Table(table))
    }

    fn size_bytes(&self) -> usize {
        self.series.size_bytes() + self.label_bytes + self.series.len() * size_of::<(f64, u32)>()
    }
}

/// Where counts of buckets fell, by metric and step: Prometheus tells of each once.
type Fallen = BTreeMap<(String, usize), ForcedMonotonicity>;

/// One result that is made of each histogram.
struct Variant<'a> {
    kind: VariantKind<'a>,
    /// A label that tells it from others, at the steps at which it has this value.
    label: Option<(&'a str, String, Vec<bool>)>,
}

enum VariantKind<'a> {
    Quantile(&'a Scalar),
    Fraction(&'a Scalar, &'a Scalar),
}

impl Buckets {
    /// The name of a series' metric, unless it is taken for gone.
    fn metric<'a>(&self, id: &'a Identity) -> &'a str {
        match self.naming {
            Naming::Eager => "",
            Naming::Delayed => id.metric(),
        }
    }

    /// The results that are asked for. Remarks on quantiles that are none.
    fn variants<'a>(&'a self, scalars: &'a [Scalar], grid: Grid, annotations: &mut Annotations) -> Vec<Variant<'a>> {
        if let (BucketsFunction::Fraction, [lower, upper]) = (&self.function, scalars) {
            return vec![Variant { kind: VariantKind::Fraction(lower, upper), label: None }];
        }
        let mut variants = Vec::new();
        for (scalar, span) in scalars.iter().zip(&self.scalar_spans) {
            for quantile in scalar.values(grid.len()).filter(|quantile| !(0.0..=1.0).contains(quantile)) {
                annotations.add(*span, Remark::InvalidQuantile(quantile.into()), "");
            }
            match &self.function {
                BucketsFunction::Quantiles { label } => variants.extend(labelled(label, scalar, grid)),
                _ => variants.push(Variant { kind: VariantKind::Quantile(scalar), label: None }),
            }
        }
        variants
    }
}

/// A variant for each value that a quantile takes at some step.
fn labelled<'a>(label: &'a str, scalar: &'a Scalar, grid: Grid) -> Vec<Variant<'a>> {
    let mut values: Vec<f64> = Vec::new();
    for value in scalar.values(grid.len()) {
        if !values.iter().any(|known| known.to_bits() == value.to_bits()) {
            values.push(value);
        }
    }
    let variant = |value: f64| {
        let steps = scalar.values(grid.len()).map(|other| other.to_bits() == value.to_bits()).collect();
        let label = Some((label, format_float_label(value), steps));
        Variant { kind: VariantKind::Quantile(scalar), label }
    };
    values.into_iter().map(variant).collect()
}

impl Variant<'_> {
    fn has(&self, step: usize) -> bool {
        self.label.as_ref().is_none_or(|(_, _, steps)| steps[step])
    }

    fn identity(&self, id: &Identity, naming: Naming) -> Identity {
        let mut id = id.clone();
        if let Some((name, value, _)) = &self.label {
            let mut labels = LabelsBuilder::from(id.labels());
            if naming == Naming::Eager {
                METADATA_LABELS.iter().for_each(|label| {
                    labels.remove(label);
                });
            }
            labels.set(name, value);
            id = Identity::new(labels.build());
            return Identity::marked(id.into_labels(), naming == Naming::Delayed);
        }
        id.drop_name(naming);
        id
    }

    fn of_native(
        &self,
        row: Row<'_>,
        conflicts: &[usize],
        call: &Buckets,
        table: &mut Table,
        annotations: &mut Annotations,
        grid: Grid,
    ) {
        let metric = call.metric(row.id);
        let mut new = table.start_row(grid.len());
        for (step, histogram) in row.histograms {
            let step = *step as usize;
            if self.has(step) && !conflicts.contains(&step) {
                new.set(step, self.native_value(histogram, step, call.span, metric, annotations));
            }
        }
        new.finish(self.identity(row.id, call.naming));
    }

    fn native_value(
        &self,
        histogram: &Arc<Histogram>,
        step: usize,
        span: Span,
        metric: &str,
        annotations: &mut Annotations,
    ) -> f64 {
        match self.kind {
            VariantKind::Quantile(scalar) => {
                let quantile = histogram.quantile(scalar.at(step));
                match quantile.nan_observations {
                    NanObservations::None => {}
                    NanObservations::Skew => annotations.add(span, Remark::SkewedQuantile, metric),
                    NanObservations::Result => annotations.add(span, Remark::NanQuantile, metric),
                }
                quantile.value
            }
            VariantKind::Fraction(lower, upper) => {
                let (fraction, has_nan) = histogram.fraction(lower.at(step), upper.at(step));
                if has_nan {
                    annotations.add(span, Remark::NanFraction, metric);
                }
                fraction
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a step of `finish`, which has all of them at hand")]
    fn of_classic(
        &self,
        series: &ClassicSeries,
        rows: &Table,
        conflicts: &[usize],
        call: &Buckets,
        table: &mut Table,
        fallen: &mut Fallen,
        grid: Grid,
    ) {
        let members: Vec<(f64, Row<'_>)> =
            series.buckets.iter().map(|(upper, row)| (*upper, rows.row(*row as usize))).collect();
        let mut buckets: Vec<Bucket> = Vec::with_capacity(members.len());
        let mut new = table.start_row(grid.len());
        for step in (0..grid.len()).filter(|step| self.has(*step) && !conflicts.contains(step)) {
            buckets.clear();
            let counts = members.iter().map(|(upper, row)| Bucket { upper: *upper, count: row.float(step) });
            buckets.extend(counts.filter(|bucket| is_present(bucket.count)));
            if buckets.is_empty() {
                continue;
            }
            let value = match self.kind {
                VariantKind::Quantile(scalar) => {
                    let (quantile, forced) = bucket_quantile(scalar.at(step), &mut buckets);
                    if let Some(forced) = forced {
                        let forced = forced.at(grid.time(step));
                        let key = (call.metric(&series.id).to_owned(), step);
                        fallen.entry(key).and_modify(|known| known.absorb(forced)).or_insert(forced);
                    }
                    quantile
                }
                VariantKind::Fraction(lower, upper) => bucket_fraction(lower.at(step), upper.at(step), &mut buckets),
            };
            new.set(step, value);
        }
        new.finish(self.identity(&series.id, call.naming));
    }
}

/// The series without the bound of its bucket.
fn without_bound(id: &Identity) -> Identity {
    Identity::marked(id.labels().without(&[BUCKET_LABEL]), id.is_to_drop())
}
