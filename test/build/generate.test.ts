import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import {
	configurationTables,
	generatedFiles,
	refusalTables,
} from "../../build/generate";
import { REFUSALS } from "../../core/refusals";
import { testKey } from "../../local/demo/flows";
import { prepare } from "../../plugins/x-custom-jwt/config";
import { properties } from "../../schema/kong";
import { packageRoot } from "../../schema/package-root";
import { rawConfig } from "../support/samples";

const EC = testKey("ES256-jwk-private.json");

/** What an example needs to be taken. */
const NEEDS: Record<string, object> = {
	algorithm: { private_jwk: testKey("RS256-jwk-private.json") },
	active_kid: {
		private_jwk: JSON.stringify({
			keys: [{ ...JSON.parse(EC), kid: "2027-01" }],
		}),
	},
};

function onDisk(path: string): string {
	return readFileSync(join(packageRoot(), path), "utf8");
}

describe("the generated files", () => {
	test("are fresh: npm run generate changes nothing", () => {
		for (const { path, content } of generatedFiles())
			expect({ path, content: onDisk(path) }).toEqual({ path, content });
	});

	test("are those for Konnect and editors, and the pages of fields and refusals", () => {
		expect(
			generatedFiles()
				.map(({ path }) => path)
				.sort(),
		).toEqual([
			"docs/configuration.md",
			"docs/errors.md",
			"schema/kong.schema.json",
			"schema/schema.lua",
		]);
		expect(onDisk("docs/configuration.md")).toContain(configurationTables());
		expect(onDisk("docs/errors.md")).toContain(refusalTables());
	});
});

describe("the tables of the configuration", () => {
	const rows = configurationTables()
		.split("\n")
		.filter((line) => line.startsWith("| `"));
	const cells = rows.map((row) => row.slice(2, -2).split(" | "));

	test("have one row of five cells for each field, somewhere", () => {
		expect(cells.map(([name]) => name).sort()).toEqual(
			properties.map(([name]) => `\`${name}\``).sort(),
		);
		expect(cells.map(({ length }) => length)).toEqual(rows.map(() => 5));
	});

	test("show examples that the plugin takes, each in the YAML that is shown", () => {
		for (const [name, { examples }] of properties) {
			const shown = cells.find(([cell]) => cell === `\`${name}\``)?.at(-1);
			expect(parse(shown?.slice(1, -1) ?? "")).toEqual(examples[0]);
			// A reference is resolved before, and a key with certificates is made elsewhere.
			if (name === "private_jwk" || name === "include_x5c") continue;
			const config = rawConfig({ ...NEEDS[name], [name]: examples[0] });
			expect(prepare(config).faults).toEqual([]);
		}
	});
});

describe("the tables of refusals", () => {
	test("have one row of three cells per cause, blanks shown as such", () => {
		const rows = refusalTables()
			.split("\n")
			.filter((line) => line.startsWith("| `"));
		expect(rows).toHaveLength(Object.keys(REFUSALS).length);
		for (const row of rows) {
			const cells = row.slice(2, -2).split(" | ");
			expect(cells).toHaveLength(3);
			expect(cells[0]).not.toMatch(/[{}]/);
		}
	});
});
