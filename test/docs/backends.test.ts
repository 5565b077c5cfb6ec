/** What docs/backends.md says of the examples is what they are; `npm run backends` starts them. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { FOLDER, TOOL_CHAINS } from "../../examples/backends/examples";
import { packageRoot } from "../../schema/package-root";

const PAGE = readFileSync(join(packageRoot(), "docs/backends.md"), "utf8");

/** Rows of the table of examples: name, linked file, libraries. */
const ROWS = [
	...PAGE.matchAll(
		/^\| (.+?) \| \[.+?\]\(\.\.\/(examples\/.+?)\) \| (.+) \|$/gm,
	),
].map(([, name = "", file = "", libraries = ""]) => ({
	name,
	file,
	libraries,
}));

/** What a manifest pins, as `name version`. */
const PINS: Record<string, RegExp> = {
	"node/package.json": /"(?!version|type)(\S+)": "(\d\S+)"/g,
	"python/requirements.txt": /^(\w+)(?:\[\w+\])?==(\S+)$/gm,
	"go/go.mod": /^\t\S+?\/(golang-jwt|keyfunc)\S* v(\S+)$/gm,
	"java/pom.xml":
		/spring-(boot)-starter-parent<\/artifactId>\s*<version>(.+?)</g,
	"rust/Cargo.toml": /^(\w+) = (?:\{ version = )?"=([\d.]+)"/gm,
};

test("the page shows every backend that is tried", () => {
	const names = Object.values(TOOL_CHAINS).flatMap(({ start }) =>
		Object.keys(start),
	);
	const shown = ROWS.map(({ name }) => name.toLowerCase().replace(/\W/g, "-"));
	expect(shown).toEqual(names);
	expect(
		ROWS.filter(({ file }) => !existsSync(join(packageRoot(), file))),
	).toEqual([]);
});

test.each(Object.entries(PINS))(
	"the page names the versions of %s",
	(manifest, pattern) => {
		const folder = manifest.split("/")[0];
		const libraries = ROWS.filter(({ file }) =>
			file.startsWith(`examples/backends/${folder}/`),
		)
			.map((row) => row.libraries)
			.join(", ");
		const pins = [
			...readFileSync(join(FOLDER, manifest), "utf8").matchAll(pattern),
		];
		expect(pins.length).toBeGreaterThan(0);
		for (const [, name, version] of pins)
			expect(libraries.toLowerCase()).toContain(
				`${name} ${version}`.toLowerCase(),
			);
	},
);
