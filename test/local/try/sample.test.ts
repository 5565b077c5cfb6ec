import { matchPath } from "../../../declarative/paths";
import { sampleOf } from "../../../local/try/sample";

test.each([
	["/orders", "/orders"],
	["/orders/\\d+$", "/orders/1"],
	["/orders/(?<id>[^/]+)/items", "/orders/x/items"],
	["/(?:v1|v2)/x", "/v1/x"],
	["/a.*", "/a"],
	["/[a-z]{3}-\\w{2,4}\\.json", "/aaa-xx.json"],
	["^/(?P<name>x+)?/y", "//y"],
	["/[\\d.]+/", "/1/"],
	["/[^x]+", "/1"],
])("makes a path that ~%s matches", (expression, sample) => {
	expect(sampleOf(expression)).toBe(sample);
	expect(matchPath(`~${expression}`, sample)).toBeDefined();
});

test.each(["/\\p{L}", "/(?i:a)", "/a)", "/[a"])(
	"makes no path of syntax that it does not know: %s",
	(expression) => {
		expect(sampleOf(expression)).toBeUndefined();
	},
);
