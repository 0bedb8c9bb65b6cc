//! Latency over load, as a picture.

use super::Quantiles;
use std::fmt::Write;
use std::time::Duration;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;

/// A point for each second with answers: how many there were, and how long half of them and 99 of 100 took.
pub(super) fn latency_over_load(seconds: &[Quantiles]) -> String {
    let seconds: Vec<_> = seconds.iter().filter(|second| second.count > 0).collect();
    let most = seconds.iter().map(|second| second.count).max().unwrap_or(1).max(1) as f64;
    let all = || seconds.iter().flat_map(|second| [second.p50, second.p99]).map(ms);
    // Whole decades.
    let low = all().fold(1.0, f64::min).log10().floor();
    let high = all().fold(1.0, f64::max).log10().ceil().max(low + 1.0);
    let x = |load: f64| LEFT + (WIDTH - LEFT - RIGHT) * load / most;
    let y = |ms: f64| HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (ms.log10() - low) / (high - low);

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"14\">Answers to shares: latency over load, a point a second</text>\n"
    );
    let mut add = |element: String| {
        svg.push_str(&element);
        svg.push('\n');
    };
    for decade in low as i32..=high as i32 {
        let (value, at) = (10f64.powi(decade), y(10f64.powi(decade)));
        add(format!("<line x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{:.1}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>", WIDTH - RIGHT));
        add(format!("<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{value} ms</text>", LEFT - 6.0, at + 4.0));
    }
    for quarter in 0..=4 {
        let load = most * f64::from(quarter) / 4.0;
        let (at, below) = (x(load), HEIGHT - BOTTOM + 18.0);
        add(format!("<text x=\"{at:.1}\" y=\"{below:.1}\" text-anchor=\"middle\">{load:.0}</text>"));
    }
    let middle = f64::midpoint(LEFT, WIDTH - RIGHT);
    add(format!(
        "<text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">shares answered a second</text>",
        HEIGHT - 10.0
    ));
    let series = [
        ("p50", "#1f77b4", seconds.iter().map(|second| second.p50).collect::<Vec<_>>()),
        ("p99", "#d62728", seconds.iter().map(|second| second.p99).collect()),
    ];
    for (at, (name, color, latencies)) in series.into_iter().enumerate() {
        let mut points = String::new();
        for (second, latency) in seconds.iter().zip(latencies) {
            let (x, y) = (x(second.count as f64), y(ms(latency)));
            // Writing to a string does not fail.
            let _ = write!(points, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\"/>");
        }
        add(format!("<g fill=\"{color}\" fill-opacity=\"0.6\">{points}</g>"));
        let x = WIDTH - RIGHT - 80.0 + 40.0 * at as f64;
        add(format!("<text x=\"{x:.1}\" y=\"22\" fill=\"{color}\">{name}</text>"));
    }
    svg + "</svg>\n"
}

/// Milliseconds, above zero: the scale is logarithmic.
fn ms(span: Duration) -> f64 {
    (span.as_secs_f64() * 1000.0).max(0.001)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn all_points_are_in_the_picture(seconds in proptest::collection::vec((0u64..100_000, 0u64..20_000_000, 0u64..20_000_000), 0..50)) {
            let us = Duration::from_micros;
            let seconds: Vec<_> = seconds
                .into_iter()
                .map(|(count, p50, p99)| Quantiles { count, p50: us(p50), p99: us(p99), ..Quantiles::default() })
                .collect();
            let svg = latency_over_load(&seconds);
            let shown = seconds.iter().filter(|second| second.count > 0).count();
            prop_assert_eq!(svg.matches("<circle").count(), 2 * shown);
            for (name, most) in [("cx=\"", WIDTH), ("cy=\"", HEIGHT)] {
                for value in svg.split(name).skip(1) {
                    let value: f64 = value.split('"').next().unwrap().parse().unwrap();
                    prop_assert!((0.0..=most).contains(&value), "{}", value);
                }
            }
        }
    }
}
