import { standIn } from "./stand-in";

/** Kong's response-transformer, as far as it adds headers: also to what request-termination answers. */
export const responseTransformer = standIn(
	800,
	{
		add: {
			type: "object",
			properties: { headers: { type: "array", items: { type: "string" } } },
			required: ["headers"],
			additionalProperties: false,
		},
	},
	(request, { add }) => {
		for (const header of add?.headers ?? []) {
			const colon = header.indexOf(":");
			const name = header.slice(0, colon).toLowerCase();
			request.responseHeaders[name] ??= header.slice(colon + 1).trim();
		}
		return undefined;
	},
);
