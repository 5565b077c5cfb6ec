import { bestMatch, pathFault } from "../../declarative/paths";

test.each([
	["/orders", "/orders/1", "/orders"],
	["~/api/\\d+$", "/api/42", "/api/42"],
	["~/api/\\d+", "/api/42/x", "/api/42"],
	["~/(?<id>[a-z]+)/end", "/abc/end", "/abc/end"],
	["~/a|/b", "/x/b", "/b"],
])("%s fits %s", (path, pathname, matched) => {
	expect(bestMatch([path], pathname)?.matched).toBe(matched);
});

test.each([
	["/orders", "/order"],
	["~/api/\\d+$", "/api/42/x"],
	["~/b", "/a/b"],
])("%s does not fit %s", (path, pathname) => {
	expect(bestMatch([path], pathname)).toBeUndefined();
});

test("a regular expression wins over a longer prefix, the first one over the others", () => {
	const paths = ["/api/orders/1", "~/api/\\w+", "~/api"];
	expect(bestMatch(paths, "/api/orders/1")?.matched).toBe("/api/orders");
});

test("a regular expression that others take for ever to match hangs nothing", () => {
	expect(bestMatch(["~/(a|a)*b"], `/${"a".repeat(100_000)}`)).toBeUndefined();
});

test.each(["~/(?=x)", "~/(a)\\1", "~/("])("%s is refused by name", (path) => {
	expect(pathFault(path)).toContain(path);
});
