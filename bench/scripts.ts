/** The benchmarks by name, each a script beside this one. */
export const SCRIPTS = [
	"signing",
	"request",
	"growth",
	"gateway",
	"start",
	"workers",
	"compare",
	"soak",
];

/** Those that run only when they are named: one needs another commit's build, one takes long. */
export const ONLY_NAMED = ["compare", "soak"];

/** What `npm run bench` takes besides names, for `parseArgs`; `before` is for `compare`, the last three for `gateway`. */
export const OPTIONS = {
	quick: { type: "boolean", default: false },
	write: { type: "boolean", default: false },
	before: { type: "string" },
	configuration: { type: "string" },
	proxy: { type: "string" },
	process: { type: "string", multiple: true, default: [] as string[] },
} as const;
