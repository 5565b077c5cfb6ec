import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { packageRoot } from "../../schema/package-root";
import { anchors, type Page, pages } from "./pages";

const all = pages();

function targets({ prose }: Page): string[] {
	return [
		...prose.matchAll(/\]\(([^)\s]+)\)/g),
		...prose.matchAll(/(?:src|srcset|href)="([^"]+)"/g),
	].flatMap(([, target]) => target ?? []);
}

test.each(all.map((page) => [page.path, page] as const))(
	"links of %s lead somewhere",
	(path, page) => {
		const dead = targets(page).filter((target) => {
			if (/^[a-z]+:/.test(target)) return !URL.canParse(target);
			const [file = "", anchor] = target.split("#");
			const to = file ? join(dirname(path), file) : path;
			if (!existsSync(join(packageRoot(), to))) return true;
			if (anchor === undefined) return false;
			const at = all.find((one) => one.path === to);
			return !at || !anchors(at).includes(anchor);
		});
		expect(dead).toEqual([]);
	},
);

test("every page of docs is linked from the README, or from a page that is", () => {
	const reached = new Set(["README.md"]);
	for (const path of reached)
		for (const page of all.filter((one) => one.path === path))
			for (const target of targets(page))
				if (!/^[a-z]+:/.test(target))
					reached.add(join(dirname(path), target.split("#")[0] || page.path));
	const docs = all.filter(({ path }) => path.startsWith("docs/"));
	expect(
		docs.map(({ path }) => path).filter((path) => !reached.has(path)),
	).toEqual([]);
});
