import { readFileSync } from "node:fs";
import { join } from "node:path";
import { matchPath } from "../../declarative/paths";
import {
	idOfName,
	type Matchable,
	makeRouter,
	matchableOf,
	priorityOf,
	requestFor,
} from "../../declarative/router";
import { packageRoot } from "../../schema/package-root";

interface Pair {
	title: string;
	request: { method: string; url: string; headers: Record<string, string[]> };
	routes: Record<"a" | "b", { id: string }>;
	priorities: Record<"a" | "b", string>;
	winner: "a" | "b";
}

const { pairs }: { pairs: Pair[] } = JSON.parse(
	readFileSync(join(packageRoot(), "test/fixtures/route-pairs.json"), "utf8"),
);

const matchable = (route: { id: string }) =>
	matchableOf({ ...route }, route.id);

describe("Of two routes Kong's wins:", () => {
	test.each(pairs)("$title", ({ request, routes, winner }) => {
		for (const both of [
			[routes.a, routes.b],
			[routes.b, routes.a],
		]) {
			const rank = makeRouter(both, matchable);
			const [first] = rank({ ...requestFor(request.url), ...request });
			expect(first?.route).toEqual(routes[winner]);
		}
	});

	test.each(pairs)(
		"the priorities are Kong's when $title",
		({ routes, priorities }) => {
			expect(String(priorityOf(matchable(routes.a)))).toBe(priorities.a);
			expect(String(priorityOf(matchable(routes.b)))).toBe(priorities.b);
		},
	);
});

test("a route without id gets the one that DB-less Kong makes of its name", () => {
	// RFC 9562 and Kong's namespaces; the name decides.
	expect(idOfName("shop")).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5/);
	expect(idOfName("shop")).not.toBe(idOfName("till"));
});

test("paths of one route rank each by its own length", () => {
	const routes = [
		{ id: "1", paths: ["/", "/x-custom-jwt/jwks"] },
		{ id: "2", paths: ["/x-custom-jwt"] },
	];
	const rank = makeRouter(routes, (route) => matchableOf(route, route.id));
	const ids = (url: string) =>
		rank(requestFor(url)).map(({ route }) => route.id);
	expect(ids("https://a.example/x-custom-jwt/jwks")).toEqual(["1", "2"]);
	expect(ids("https://a.example/x-custom-jwt/other")).toEqual(["2", "1"]);
});

test("a URL without a port may reach a listener's default port", () => {
	const route = { id: "1", hosts: ["a.example:8443"] };
	const rank = makeRouter([route], () => matchableOf(route, route.id));
	expect(rank(requestFor("https://a.example/"))).toHaveLength(1);
	expect(rank(requestFor("https://a.example:9443/"))).toHaveLength(0);
	expect(rank(requestFor("http://a.example/"))).toHaveLength(0);
});

test("routes of streams, of expressions and of some clients only are not chosen", () => {
	const routes = [
		{ id: "1", protocols: ["tcp"] },
		{ id: "2", expression: 'http.path ^= "/"' },
		{ id: "3", paths: ["/"], sources: [{ ip: "10.0.0.0/8" }] },
	];
	const rank = makeRouter(routes, (route) => matchableOf(route, route.id));
	expect(rank(requestFor("https://a.example/"))).toEqual([]);
});

test("a route is found among others as it is found alone", () => {
	const paths = [
		"/",
		"/a",
		"/a/b",
		"/ab",
		"~/a$",
		"~/a|b",
		"~/ab?c",
		"~/ab*",
		"~/ab+",
		"~/a{2}",
		"~(?i)/A",
		"~/a%2Fb",
		"~/",
	];
	const hosts = [[], ["a.example"], ["*.example"], ["a.example:8443"], ["b"]];
	const routes: Matchable[] = hosts.flatMap((host, i) => [
		{ id: `${i}`, hosts: host },
		...paths.map((path, j) => ({
			id: `${i}-${j}`,
			hosts: host,
			paths: [path],
		})),
	]);
	const all = makeRouter(routes, (route) => route);
	for (const path of [
		"/",
		"/a",
		"/a/b",
		"/ab",
		"/abc",
		"/aa",
		"/b",
		"/A",
		"/a%2Fb",
	])
		for (const host of ["a.example", "b", "c"]) {
			const request = requestFor(`https://${host}${path}`);
			const alone = routes.filter(
				({ hosts: [wanted] = [], paths: [own] = [] }) =>
					(own === undefined || matchPath(own, path)) &&
					(wanted === undefined ||
						[host, host.replace("a.", "*."), `${host}:8443`].includes(wanted)),
			);
			expect(
				all(request)
					.map(({ route }) => route.id)
					.sort(),
			).toEqual(alone.map(({ id }) => id).sort());
		}
});
