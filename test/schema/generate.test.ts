import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
	configurationTable,
	generatedFiles,
	refusalTable,
} from "../../schema/generate";
import { properties } from "../../schema/kong";
import { packageRoot } from "../../schema/package-root";
import { REFUSALS } from "../../schema/refusals";

function onDisk(path: string): string {
	return readFileSync(join(packageRoot(), path), "utf8");
}

describe("the generated files", () => {
	test("are fresh: npm run generate changes nothing", () => {
		for (const { path, content } of generatedFiles())
			expect({ path, content: onDisk(path) }).toEqual({ path, content });
	});

	test("are schema/schema.lua and the README's tables", () => {
		expect(
			generatedFiles()
				.map(({ path }) => path)
				.sort(),
		).toEqual(["README.md", "schema/schema.lua"]);
		expect(onDisk("README.md")).toContain(configurationTable());
		expect(onDisk("README.md")).toContain(refusalTable());
	});
});

describe("the README's tables", () => {
	test("has one row of four cells per field", () => {
		const [, , ...rows] = configurationTable().split("\n");
		const cells = rows.map((row) => row.slice(2, -2).split(" | "));
		expect(cells.map(([name]) => name)).toEqual(
			properties.map(([name]) => `\`${name}\``),
		);
		expect(cells.map(({ length }) => length)).toEqual(rows.map(() => 4));
	});
});

describe("the README's table of refusals", () => {
	test("has one row of three cells per cause, blanks shown as such", () => {
		const [, , ...rows] = refusalTable().split("\n");
		expect(rows).toHaveLength(Object.keys(REFUSALS).length);
		for (const row of rows) {
			expect(row.slice(2, -2).split(" | ")).toHaveLength(3);
			expect(row).not.toMatch(/[{}]/);
		}
	});
});
