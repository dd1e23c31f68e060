use std::time::{Duration, Instant};

use serde_json::json;

use super::{Change, Printer, Status, View};

/// Time between objects that only tell of more records.
const PERIOD: Duration = Duration::from_secs(1);

/// One JSON object per line on standard output, for programs.
pub(super) struct Json {
    printer: Printer,
    shown: Instant,
}

impl Json {
    pub fn new(printer: Printer) -> Self {
        Self { printer, shown: Instant::now() }
    }

    fn print(&mut self, event: &str, status: &Status) {
        self.shown = Instant::now();
        // Whoever asked for it and does not read it does not stop the recording.
        let _ = self.printer.data(&format!("{}\n", object(event, status)));
    }
}

impl View for Json {
    fn update(&mut self, status: &Status, change: Change) {
        let event = match change {
            Change::Scheduled => "scheduled",
            Change::Shard => "shard",
            Change::Commit => "committed",
            Change::Record if self.shown.elapsed() >= PERIOD => "progress",
            Change::Record => return,
        };
        self.print(event, status);
    }

    fn finish(&mut self, status: &Status) {
        self.print("ended", status);
    }
}

fn object(event: &str, status: &Status) -> serde_json::Value {
    let (name, number, of) = match &status.shard {
        Some((name, number, of)) => (Some(name), Some(number), Some(of)),
        None => (None, None, None),
    };
    json!({
        "event": event,
        "records": status.position(),
        "total": status.total,
        "recorded_before": status.known,
        "skipped": status.skipped,
        "committed": status.committed,
        "recording_bytes": status.byte_len,
        "records_per_second": status.rate(),
        "remaining_seconds": status.remaining().map(|it| it.as_secs_f64()),
        "shard": name,
        "shard_number": number,
        "shards": of,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_one_line() {
        let mut status = Status::new();
        (status.total, status.known, status.done) = (10, 2, 3);
        status.shard = Some(("a \"b\".h5".to_owned(), 1, 2));
        let object = object("progress", &status);
        assert_eq!(object["records"], 5);
        assert_eq!(object["recorded_before"], 2);
        assert_eq!(object["shard"], "a \"b\".h5");
        assert!(!object.to_string().contains('\n'));
    }
}
