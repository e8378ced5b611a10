//! Golden vectors: our own, computed apart from this code, and the public ones where they lie beside the repository.

use serde::Deserialize;
use serde_json::Value;
use tests::corpus;
use tidegate::analysis::calibration::calibrate;
use tidegate::analysis::sequential::CountQuestion;
use tidegate::analysis::sequential::counts::{Arm, Minute};
use tidegate::analysis::sequential::dispersion::Dispersion;
use tidegate::analysis::student::StudentProcess;

const TOLERANCE: f64 = 1e-8;

#[derive(Deserialize)]
struct Vectors {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Vector {
    CountEProcess {
        id: String,
        params: CountParams,
        n_baseline: Vec<Option<f64>>,
        n_canary: Vec<Option<f64>>,
        x_baseline: Vec<Option<f64>>,
        x_canary: Vec<Option<f64>>,
        expected: Value,
    },
    TEProcess {
        id: String,
        d: Vec<Option<f64>>,
        /// Ours are integrated, the method takes a sum with 0.1 between its points.
        #[serde(default = "tolerance")]
        tolerance: f64,
        expected: Value,
    },
    Calibration {
        id: String,
        n_a: Vec<Option<f64>>,
        n_b: Vec<Option<f64>>,
        x_a: Vec<Option<f64>>,
        x_b: Vec<Option<f64>>,
        expected: Value,
    },
}

#[derive(Deserialize)]
struct CountParams {
    rho0: f64,
    restart: f64,
    horizon: usize,
    alpha: f64,
    rho_grid: Vec<f64>,
    r_by_bin: Vec<f64>,
    bin_edges: Vec<f64>,
    #[serde(rename = "A")]
    autocorrelation: f64,
    tol: f64,
    rho1: f64,
    lmax: f64,
}

fn tolerance() -> f64 {
    TOLERANCE
}

fn close(id: &str, what: &str, ours: &[f64], expected: &Value) {
    close_to(TOLERANCE, id, what, ours, expected);
}

fn close_to(tolerance: f64, id: &str, what: &str, ours: &[f64], expected: &Value) {
    let expected: Vec<f64> = expected.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
    assert_eq!(ours.len(), expected.len(), "{id} {what}");
    for (minute, (ours, expected)) in ours.iter().zip(expected).enumerate() {
        let off = (ours - expected).abs() / expected.abs().max(1.0);
        assert!(off <= tolerance, "{id} {what} at {}: {ours}, not {expected}", minute + 1);
    }
}

type Column = Vec<Option<f64>>;

fn minutes(baseline: (&Column, &Column), canary: (&Column, &Column)) -> Vec<Option<Minute>> {
    let arm = |(requests, bad): (&Column, &Column), at: usize| Some(Arm::new(requests[at]?, bad[at]?).unwrap());
    (0..baseline.0.len()).map(|at| Some(Minute { baseline: arm(baseline, at)?, canary: arm(canary, at)? })).collect()
}

fn check(vector: &Vector) {
    match vector {
        Vector::CountEProcess { id, params, n_baseline, n_canary, x_baseline, x_canary, expected } => {
            let bins = params.bin_edges.iter().copied().zip(params.r_by_bin.iter().copied()).collect();
            let question = CountQuestion {
                margin: params.rho0,
                alternatives: params.rho_grid.clone(),
                restart: params.restart,
                horizon: params.horizon,
                alpha: params.alpha,
                tolerance: params.tol,
                dispersion: Dispersion::calibrated(bins, params.autocorrelation),
                pass_margin: params.rho1,
                budget: params.lmax,
                ..CountQuestion::default()
            };
            let minutes = minutes((n_baseline, x_baseline), (n_canary, x_canary));
            let answer = question.answer(&minutes, 0);
            close(id, "ln e", &answer.ln_e, &expected["log_e"]);
            close(id, "relative", &answer.ln_e_relative, &expected["log_e_pass_rho1"]);
            close(id, "absolute", &answer.ln_e_absolute, &expected["log_e_abs"]);
            if let Some(abort) = expected.get("abort_minute") {
                let abort = abort.as_u64().map(|minute| usize::try_from(minute).unwrap());
                assert_eq!(answer.abort_minute, abort, "{id}");
            }
        }
        Vector::TEProcess { id, d, tolerance, expected } => {
            let mut process = StudentProcess::default();
            let ours: Vec<f64> = d.iter().map(|value| process.take(*value)).collect();
            close_to(*tolerance, id, "ln e", &ours, &expected["log_e"]);
        }
        Vector::Calibration { id, n_a, n_b, x_a, x_b, expected } => {
            let history = minutes((n_b, x_b), (n_a, x_a));
            let dispersion = calibrate(&history).expect("a day is enough");
            close(id, "correlations", &dispersion.by_bin().collect::<Vec<_>>(), &expected["r_by_bin"]);
            let expected = expected["A"].as_f64().unwrap();
            let ours = dispersion.autocorrelation();
            assert!((ours - expected).abs() < TOLERANCE * expected, "{id}: {ours}, not {expected}");
        }
    }
}

#[test]
fn the_public_vectors_hold() {
    let Some(folder) = corpus::analysis() else {
        println!("skipped: no analysis/sequential-vectors.json beside the repository");
        return;
    };
    let text = std::fs::read_to_string(folder.join("sequential-vectors.json")).unwrap();
    let Vectors { vectors } = serde_json::from_str(&text).unwrap();
    assert_eq!(vectors.len(), 21);
    vectors.iter().for_each(check);
}

/// `tests/data/judge/vectors.py` made them, with 60 digits and by other ways than the code goes.
#[test]
fn our_own_vectors_hold() {
    let Vectors { vectors } = serde_json::from_str(include_str!("../../data/judge/vectors.json")).unwrap();
    assert_eq!(vectors.len(), 8);
    vectors.iter().for_each(check);
}
