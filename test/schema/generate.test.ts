import { readFileSync } from "node:fs";
import { join } from "node:path";
import { configurationTable, generatedFiles } from "../../schema/generate";
import { properties } from "../../schema/kong";
import { packageRoot } from "../../schema/package-root";

function onDisk(path: string): string {
	return readFileSync(join(packageRoot(), path), "utf8");
}

describe("the generated files", () => {
	test("are fresh: npm run generate changes nothing", () => {
		for (const { path, content } of generatedFiles())
			expect({ path, content: onDisk(path) }).toEqual({ path, content });
	});

	test("are schema/schema.lua and the README's configuration table", () => {
		expect(
			generatedFiles()
				.map(({ path }) => path)
				.sort(),
		).toEqual(["README.md", "schema/schema.lua"]);
		expect(onDisk("README.md")).toContain(configurationTable());
	});
});

describe("the README's configuration table", () => {
	test("has one row of four cells per field", () => {
		const [, , ...rows] = configurationTable().split("\n");
		const cells = rows.map((row) => row.slice(2, -2).split(" | "));
		expect(cells.map(([name]) => name)).toEqual(
			properties.map(([name]) => `\`${name}\``),
		);
		expect(cells.map(({ length }) => length)).toEqual(rows.map(() => 4));
	});
});
