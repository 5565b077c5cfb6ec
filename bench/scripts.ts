/** The benchmarks by name, each a script beside this one; the soak runs only when it is named. */
export const SCRIPTS = [
	"signing",
	"request",
	"growth",
	"gateway",
	"start",
	"workers",
	"soak",
];

/** What `npm run bench` takes besides names, for `parseArgs`; the last three are for the gateway's script. */
export const OPTIONS = {
	quick: { type: "boolean", default: false },
	write: { type: "boolean", default: false },
	configuration: { type: "string" },
	proxy: { type: "string" },
	process: { type: "string", multiple: true, default: [] as string[] },
} as const;
