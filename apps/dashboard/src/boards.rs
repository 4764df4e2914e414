//! The four boards: which numbers, charts and tables each shows.
//!
//! Constants alone; the page draws them as they come with the acknowledgement of `join_dashboard`. A board also says
//! which series its stream carries. A `*` in a series' name stands for whatever there is (`catalogue::fits`).

use serde::Serialize;

use crate::catalogue::{Unit, fits};

/// One board, which is one room a rate.
#[derive(Debug, Serialize)]
pub struct Board {
    /// The word in the URL and in the stream's name.
    pub id: &'static str,
    /// The word on the tab.
    pub title: &'static str,
    /// The row of numbers.
    pub kpis: &'static [Kpi],
    /// Charts and tables in reading order.
    pub panels: &'static [Panel],
}

/// One number of the row.
#[derive(Debug, Serialize)]
pub struct Kpi {
    /// Its key in `kpis` of a tick.
    pub id: &'static str,
    /// What stands above it.
    pub label: &'static str,
    /// The series whose newest value it is.
    pub series: &'static str,
    /// The series of the whole, as in "6.1 GiB of 23".
    pub of: Option<&'static str>,
    /// Its unit.
    pub unit: Unit,
    /// Which way is good.
    pub better: Better,
    /// The place in the palette.
    pub color: usize,
}

/// How a change of a number is to be read.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// More is good.
    Up,
    /// More is bad.
    Down,
    /// Neither.
    Neither,
}

/// One card.
#[derive(Debug, Serialize)]
pub struct Panel {
    /// Its key in the URL and in `query_range`.
    pub id: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// Columns of twelve.
    pub span: u8,
    /// What it draws.
    #[serde(flatten)]
    pub content: Content,
    /// Why it may stay empty on some machines, and what helps.
    pub absent: Option<Absent>,
}

/// What a card draws.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Content {
    /// Lines over time.
    Chart {
        /// The unit on the axis.
        unit: Unit,
        /// The lines.
        lines: &'static [Line],
        /// Whether the first line stands on a filled area.
        fill: bool,
    },
    /// Rows of the tick's `tables`, under the panel's id.
    Table {
        /// The columns, as the rows hold them.
        columns: &'static [Column],
    },
    /// Every posted series in one table, or the line that would post one.
    PostedTable,
    /// One chart for each posted name.
    PostedCharts,
}

/// One line of a chart, or one for each series that the pattern fits.
#[derive(Debug, Serialize)]
pub struct Line {
    /// The series.
    pub series: &'static str,
    /// What the legend says; a `*` stands for what the pattern's stood for.
    pub label: &'static str,
    /// The place in the palette; a pattern counts on from it.
    pub color: usize,
}

/// One column of a table.
#[derive(Debug, Serialize)]
pub struct Column {
    /// What stands above it.
    pub label: &'static str,
    /// None is text.
    pub unit: Option<Unit>,
}

/// Why a panel has nothing to show here.
#[derive(Debug, Serialize)]
pub struct Absent {
    /// What is missing.
    pub cause: &'static str,
    /// What helps.
    pub mend: &'static str,
}

impl Board {
    /// The board of that id.
    pub fn find(id: &str) -> Option<&'static Board> {
        BOARDS.iter().find(|board| board.id == id)
    }

    /// The panel of that id.
    pub fn panel(&self, id: &str) -> Option<&'static Panel> {
        self.panels.iter().find(|panel| panel.id == id)
    }

    /// Whether the board's stream carries a series.
    pub fn carries(&self, series: &str) -> bool {
        self.kpis.iter().any(|kpi| kpi.series == series || kpi.of == Some(series))
            || self.panels.iter().any(|panel| panel.shows(series))
    }

    /// Whether ticks of this board carry a table.
    pub fn has_table(&self, id: &str) -> bool {
        self.panel(id).is_some_and(|panel| matches!(panel.content, Content::Table { .. }))
    }
}

impl Panel {
    /// Whether the panel draws a series.
    pub fn shows(&self, series: &str) -> bool {
        match &self.content {
            Content::Chart { lines, .. } => lines.iter().any(|line| fits(line.series, series)),
            Content::Table { .. } => false,
            Content::PostedTable | Content::PostedCharts => fits("ingest.*", series),
        }
    }
}

const fn kpi(
    id: &'static str,
    label: &'static str,
    series: &'static str,
    unit: Unit,
    better: Better,
    color: usize,
) -> Kpi {
    Kpi { id, label, series, of: None, unit, better, color }
}

const fn line(series: &'static str, label: &'static str, color: usize) -> Line {
    Line { series, label, color }
}

const fn chart(id: &'static str, title: &'static str, span: u8, unit: Unit, lines: &'static [Line]) -> Panel {
    Panel { id, title, span, content: Content::Chart { unit, lines, fill: false }, absent: None }
}

const fn filled(
    id: &'static str,
    title: &'static str,
    span: u8,
    unit: Unit,
    lines: &'static [Line],
) -> Panel {
    Panel { id, title, span, content: Content::Chart { unit, lines, fill: true }, absent: None }
}

const fn absent(panel: Panel, cause: &'static str, mend: &'static str) -> Panel {
    Panel {
        id: panel.id,
        title: panel.title,
        span: panel.span,
        content: panel.content,
        absent: Some(Absent { cause, mend }),
    }
}

const fn rooms(span: u8) -> Panel {
    const COLUMNS: &[Column] = &[
        Column { label: "room", unit: None },
        Column { label: "sockets", unit: Some(Unit::Count) },
        Column { label: "ticks/s", unit: Some(Unit::Number) },
    ];
    Panel {
        id: "rooms",
        title: "Busiest rooms",
        span,
        content: Content::Table { columns: COLUMNS },
        absent: None,
    }
}

const fn processes(span: u8) -> Panel {
    const COLUMNS: &[Column] = &[
        Column { label: "name", unit: None },
        Column { label: "CPU", unit: Some(Unit::Percent) },
        Column { label: "memory", unit: Some(Unit::Bytes) },
    ];
    Panel {
        id: "processes",
        title: "Processes",
        span,
        content: Content::Table { columns: COLUMNS },
        absent: None,
    }
}

const PACKETS: &[Line] = &[line("erlen.packets.out", "out", 0), line("erlen.packets.in", "in", 1)];
const LATENCY: &[Line] = &[
    line("erlen.handler.p50", "p50", 2),
    line("erlen.handler.p95", "p95", 0),
    line("erlen.handler.p99", "p99", 4),
];
const CORES: &[Line] = &[line("host.cpu.*", "*", 0)];
const MEMORY: &[Line] = &[line("host.memory.used", "used", 5), line("host.memory.cache", "cache", 7)];
const NETWORK: &[Line] = &[line("host.net.sent", "sent", 3), line("host.net.received", "received", 2)];
const CPU: Kpi = kpi("cpu", "CPU", "host.cpu", Unit::Percent, Better::Neither, 1);
const MEMORY_KPI: Kpi = Kpi {
    id: "memory",
    label: "Memory",
    series: "host.memory.used",
    of: Some("host.memory.total"),
    unit: Unit::Bytes,
    better: Better::Neither,
    color: 5,
};
const CLIENTS: Kpi = kpi("clients", "Clients", "erlen.clients", Unit::Count, Better::Up, 0);
const PACKETS_OUT: Kpi =
    kpi("packets_out", "Packets out", "erlen.packets.out", Unit::PerSecond, Better::Up, 0);
const P99: Kpi = kpi("p99", "Handler p99, 10 s", "erlen.handler.p99", Unit::Seconds, Better::Down, 4);
const SERVER_MEMORY: Kpi =
    kpi("server_memory", "Server memory", "erlen.memory", Unit::Bytes, Better::Neither, 2);

/// All boards in the order of the tabs.
pub const BOARDS: &[Board] = &[
    Board {
        id: "overview",
        title: "Overview",
        kpis: &[CLIENTS, PACKETS_OUT, P99, CPU, MEMORY_KPI, SERVER_MEMORY],
        panels: &[
            filled("packets", "Packets", 6, Unit::PerSecond, PACKETS),
            chart("latency", "Handler latency, 10 s", 6, Unit::Seconds, LATENCY),
            chart("cores", "CPU per core", 4, Unit::Percent, CORES),
            filled("memory", "Memory", 4, Unit::Bytes, MEMORY),
            filled("network", "Network", 4, Unit::BytesPerSecond, NETWORK),
            rooms(4),
            processes(4),
            Panel {
                id: "posted",
                title: "Posted series",
                span: 4,
                content: Content::PostedTable,
                absent: None,
            },
        ],
    },
    Board {
        id: "host",
        title: "Host",
        kpis: &[
            CPU,
            kpi("load", "Load, 1 min", "host.load.1", Unit::Number, Better::Neither, 5),
            MEMORY_KPI,
            kpi("swap", "Swap", "host.swap.used", Unit::Bytes, Better::Down, 4),
            kpi("received", "Received", "host.net.received", Unit::BytesPerSecond, Better::Neither, 2),
            kpi("sent", "Sent", "host.net.sent", Unit::BytesPerSecond, Better::Neither, 3),
        ],
        panels: &[
            filled("cpu", "CPU", 6, Unit::Percent, &[line("host.cpu", "all cores", 1)]),
            chart("cores", "CPU per core", 6, Unit::Percent, CORES),
            filled("memory", "Memory", 4, Unit::Bytes, MEMORY),
            filled(
                "swap",
                "Swap",
                4,
                Unit::Bytes,
                &[line("host.swap.used", "used", 4), line("host.swap.total", "total", 7)],
            ),
            chart(
                "load",
                "Load",
                4,
                Unit::Number,
                &[
                    line("host.load.1", "1 min", 5),
                    line("host.load.5", "5 min", 0),
                    line("host.load.15", "15 min", 7),
                ],
            ),
            chart(
                "interfaces",
                "Interfaces",
                6,
                Unit::BytesPerSecond,
                &[line("host.net.*.received", "* in", 2), line("host.net.*.sent", "* out", 3)],
            ),
            absent(
                chart(
                    "disk",
                    "Disk",
                    6,
                    Unit::BytesPerSecond,
                    &[line("host.disk.read", "read", 0), line("host.disk.written", "written", 1)],
                ),
                "This machine shows no disk counters.",
                "They come from /proc/diskstats; a container sees them when the host's /proc is visible in it.",
            ),
            processes(12),
        ],
    },
    Board {
        id: "engine",
        title: "Engine",
        kpis: &[
            CLIENTS,
            kpi("packets_in", "Packets in", "erlen.packets.in", Unit::PerSecond, Better::Up, 1),
            PACKETS_OUT,
            P99,
            kpi("bytes_out", "Bytes out", "erlen.bytes.out", Unit::BytesPerSecond, Better::Neither, 3),
            SERVER_MEMORY,
        ],
        panels: &[
            filled("packets", "Packets", 6, Unit::PerSecond, PACKETS),
            chart("latency", "Handler latency, 10 s", 6, Unit::Seconds, LATENCY),
            filled(
                "clients",
                "Clients",
                4,
                Unit::Count,
                &[
                    line("erlen.clients.websocket", "WebSocket", 0),
                    line("erlen.clients.polling", "polling", 1),
                ],
            ),
            filled(
                "bytes",
                "Bytes",
                4,
                Unit::BytesPerSecond,
                &[line("erlen.bytes.out", "out", 3), line("erlen.bytes.in", "in", 2)],
            ),
            chart(
                "connects",
                "Connections",
                4,
                Unit::PerSecond,
                &[line("erlen.connects", "opened", 0), line("erlen.disconnects", "closed", 4)],
            ),
            chart("sockets", "Sockets by namespace", 4, Unit::Count, &[line("erlen.sockets.*", "*", 0)]),
            filled("queue", "Queued", 4, Unit::Bytes, &[line("erlen.queue.bytes", "bytes", 5)]),
            chart(
                "losses",
                "Losses",
                4,
                Unit::PerSecond,
                &[line("erlen.dropped", "dropped", 1), line("erlen.cut", "cut", 4)],
            ),
            chart(
                "ping",
                "Ping round trip, 60 s",
                4,
                Unit::Seconds,
                &[line("erlen.ping.p50", "p50", 2), line("erlen.ping.p99", "p99", 4)],
            ),
            rooms(8),
        ],
    },
    Board {
        id: "ingest",
        title: "Ingest",
        kpis: &[
            kpi("series", "Posted series", "erlen.ingest.series", Unit::Count, Better::Neither, 0),
            kpi("points", "Points", "erlen.ingest.points", Unit::PerSecond, Better::Neither, 2),
            kpi("posts", "Posts", "erlen.ingest.posts", Unit::PerSecond, Better::Neither, 5),
            kpi("refused", "Refused", "erlen.ingest.refused", Unit::PerSecond, Better::Down, 4),
        ],
        panels: &[
            Panel {
                id: "posted",
                title: "Posted series",
                span: 6,
                content: Content::PostedCharts,
                absent: None,
            },
            chart(
                "rate",
                "Points taken",
                6,
                Unit::PerSecond,
                &[line("erlen.ingest.points", "points", 2), line("erlen.ingest.refused", "refused posts", 4)],
            ),
        ],
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn boards_differ_and_each_has_its_own_panels() {
        let ids: BTreeSet<_> = BOARDS.iter().map(|board| board.id).collect();
        assert_eq!(ids, BTreeSet::from(["overview", "host", "engine", "ingest"]));
        for board in BOARDS {
            let panels: BTreeSet<_> = board.panels.iter().map(|panel| panel.id).collect();
            assert_eq!(panels.len(), board.panels.len(), "{} repeats a panel", board.id);
            for other in BOARDS.iter().filter(|other| other.id != board.id) {
                let theirs: BTreeSet<_> = other.panels.iter().map(|panel| panel.id).collect();
                assert_ne!(panels, theirs, "{} equals {}", board.id, other.id);
            }
        }
    }

    #[test]
    fn a_board_carries_what_it_shows_and_nothing_else() {
        let overview = Board::find("overview").unwrap();
        for series in ["erlen.packets.out", "host.cpu.11", "host.memory.total", "ingest.temp{room=kitchen}"] {
            assert!(overview.carries(series), "{series} is missing");
        }
        assert!(!overview.carries("host.disk.read") && !Board::find("ingest").unwrap().carries("host.cpu"));
    }

    #[test]
    fn every_colour_is_one_of_the_eight() {
        for board in BOARDS {
            assert!(board.kpis.iter().all(|kpi| kpi.color < 8));
            for panel in board.panels {
                if let Content::Chart { lines, .. } = &panel.content {
                    assert!(lines.iter().all(|line| line.color < 8), "{}", panel.id);
                }
            }
        }
    }

    #[test]
    fn rows_of_panels_fill_twelve_columns() {
        for board in BOARDS {
            let columns: u32 = board.panels.iter().map(|panel| u32::from(panel.span)).sum();
            assert_eq!(columns % 12, 0, "{} leaves a hole", board.id);
        }
    }
}
