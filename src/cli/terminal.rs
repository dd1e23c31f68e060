//! The terminal that bars are drawn on.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use console::{Term, measure_text_width};
use indicatif::{ProgressDrawTarget, TermLike};

/// Columns at the right that bars leave free: when Ctrl-C is pressed, the terminal writes `^C` behind the last
/// bar, and in a line that is full it would begin another one, which nobody clears.
const MARGIN: u16 = 3;

/// Redraws per second, at most.
const RATE: u8 = 20;

/// Where bars are drawn: standard error.
pub(super) fn draw_target() -> ProgressDrawTarget {
    ProgressDrawTarget::term_like_with_hz(Box::new(Canvas::new(Term::buffered_stderr())), RATE)
}

/// Columns that a bar may use.
pub(super) fn width() -> u16 {
    width_of(&Term::stderr())
}

fn width_of(term: &impl TermLike) -> u16 {
    term.width().saturating_sub(MARGIN).max(1)
}

/// The terminal without its margin. Lines of bars fill the width and follow each other without a line end, so
/// that it is put in here, where the terminal itself would wrap.
#[derive(Debug)]
struct Canvas<T> {
    term: T,
    /// The width that was last asked for, to which lines are filled.
    width: AtomicUsize,
    column: AtomicUsize,
}

impl<T: TermLike> Canvas<T> {
    fn new(term: T) -> Self {
        let width = AtomicUsize::new(width_of(&term).into());
        Self { term, width, column: AtomicUsize::new(0) }
    }
}

impl<T: TermLike> TermLike for Canvas<T> {
    fn width(&self) -> u16 {
        let width = width_of(&self.term);
        self.width.store(width.into(), Ordering::Relaxed);
        width
    }

    fn height(&self) -> u16 {
        self.term.height()
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.term.move_cursor_up(n)
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.term.move_cursor_down(n)
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.term.move_cursor_right(n)
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.term.move_cursor_left(n)
    }

    fn write_line(&self, s: &str) -> io::Result<()> {
        self.column.store(0, Ordering::Relaxed);
        self.term.write_line(s)
    }

    fn write_str(&self, s: &str) -> io::Result<()> {
        let mut column = self.column.load(Ordering::Relaxed);
        if s.starts_with('\r') {
            column = 0;
        } else if column >= self.width.load(Ordering::Relaxed) && !s.is_empty() {
            self.term.write_str("\r\n")?;
            column = 0;
        }
        self.column.store(column + measure_text_width(s), Ordering::Relaxed);
        self.term.write_str(s)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.column.store(0, Ordering::Relaxed);
        self.term.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.term.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use indicatif::{ProgressBar, ProgressStyle};

    use super::*;

    /// Keeps what is written.
    #[derive(Clone, Debug, Default)]
    struct Paper(Arc<Mutex<String>>);

    impl Paper {
        fn put(&self, text: &str) {
            self.0.lock().unwrap().push_str(text);
        }
    }

    impl TermLike for Paper {
        fn width(&self) -> u16 {
            20
        }
        fn move_cursor_up(&self, n: usize) -> io::Result<()> {
            self.put(&format!("<up {n}>"));
            Ok(())
        }
        fn move_cursor_down(&self, n: usize) -> io::Result<()> {
            self.put(&format!("<down {n}>"));
            Ok(())
        }
        fn move_cursor_right(&self, n: usize) -> io::Result<()> {
            self.put(&format!("<right {n}>"));
            Ok(())
        }
        fn move_cursor_left(&self, n: usize) -> io::Result<()> {
            self.put(&format!("<left {n}>"));
            Ok(())
        }
        fn write_line(&self, s: &str) -> io::Result<()> {
            self.put(&format!("{s}\n"));
            Ok(())
        }
        fn write_str(&self, s: &str) -> io::Result<()> {
            self.put(s);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            self.put("<clear>");
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_end_before_the_margin() {
        let paper = Paper::default();
        let canvas = Canvas::new(paper.clone());
        let target = ProgressDrawTarget::term_like(Box::new(canvas));
        let bar = ProgressBar::with_draw_target(Some(4), target);
        bar.set_style(ProgressStyle::with_template("{wide_msg}\n{wide_bar} {pos}").unwrap());
        bar.set_message("a message too long for a line");
        let drawn = std::mem::take(&mut *paper.0.lock().unwrap());
        let rows: Vec<&str> = drawn.split("\r\n").collect();
        assert!(rows[0].ends_with("a message too lon") && rows.len() == 2, "{drawn:?}");
        assert_eq!((measure_text_width(rows[1]), rows[1].ends_with(" 0")), (17, true), "{drawn:?}");
        // It is drawn over, from the first of its two lines.
        bar.set_position(2);
        let drawn = std::mem::take(&mut *paper.0.lock().unwrap());
        assert!(drawn.starts_with("<up 1><clear><down 1><clear><up 1>a message"), "{drawn:?}");
    }
}
