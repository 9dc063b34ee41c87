// What /openapi/v1.json says beyond the endpoints' own types: a title, which calls need a bearer token, an
// example of each body, and every refusal with its codes. A call without a page fails the document, so none
// is forgotten.
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;
using Rescind.Server.Answers;
using Rescind.Server.Tokens;

namespace Rescind.Server.Operations;

internal static class ApiDescription
{
    private const string Bearer = "bearer";
    private const string ProblemName = "Problem";
    private const string AnswerName = "AnyAnswer";

    private static readonly Dictionary<int, string> Codes = new()
    {
        [400] = "validation_failed, malformed_json, malformed_request, invalid_credentials",
        [401] = "token_missing, token_invalid, token_expired, token_revoked, invalid_credentials",
        [403] = "forbidden, account_disabled",
        [404] = "not_found",
        [406] = "not_acceptable",
        [409] = "conflict",
        [413] = "body_too_large",
        [415] = "unsupported_media_type",
        [429] = "rate_limited",
        [503] = "store_unavailable, revocation_unknown, busy, issuing_stopped, store_full, mail_unavailable",
    };

    public static void Configure(OpenApiOptions options)
    {
        options.AddDocumentTransformer((document, _, _) =>
        {
            document.Info = new OpenApiInfo
            {
                Title = "Rescind auth server",
                Version = typeof(ApiDescription).Assembly.GetName().Version?.ToString(3) ?? "0",
            };
            document.AddComponent<IOpenApiSecurityScheme>(Bearer, new OpenApiSecurityScheme
            {
                Type = SecuritySchemeType.Http, Scheme = Bearer, BearerFormat = "JWT",
            });
            document.AddComponent<IOpenApiSchema>(ProblemName, Problem());
            document.AddComponent<IOpenApiSchema>(AnswerName, AnyAnswer());
            return Task.CompletedTask;
        });
        options.AddOperationTransformer((operation, context, _) =>
        {
            var description = context.Description;
            var path = "/" + description.RelativePath!.TrimEnd('/');
            Describe(operation, context, ApiPages.Of(description.HttpMethod!, path), path);
            return Task.CompletedTask;
        });
    }

    private static void Describe(
        OpenApiOperation operation, OpenApiOperationTransformerContext context, ApiPage page, string path)
    {
        var metadata = context.Description.ActionDescriptor.EndpointMetadata;
        var policies = metadata.OfType<IAuthorizeData>().ToList();
        var needsCaller = policies.Count > 0 && !metadata.OfType<IAllowAnonymous>().Any();
        operation.Summary = page.Summary;
        if (needsCaller)
        {
            var scheme = new OpenApiSecuritySchemeReference(Bearer, context.Document);
            operation.Security = [new OpenApiSecurityRequirement { [scheme] = [] }];
        }
        AddBody(operation, page);
        AddQuery(operation, page);
        AddAnswers(operation, context.Document!, page, path);
        var refusals = page.Refusals.ToHashSet();
        refusals.UnionWith(page.Body is null ? [] : [400, 413, 415]);
        refusals.UnionWith(needsCaller ? [401] : []);
        refusals.UnionWith(policies.Exists(policy => policy.Policy == Caller.AdminPolicy) ? [403] : []);
        refusals.UnionWith(path.StartsWith("/api", StringComparison.Ordinal) ? [406, 429, 503] : []);
        foreach (var status in refusals.Order())
        {
            operation.Responses![$"{status}"] = Refusal(status, context.Document!);
        }
    }

    private static void AddBody(OpenApiOperation operation, ApiPage page)
    {
        if (page.Body is null)
        {
            return;
        }
        var content = operation.RequestBody?.Content ?? new Dictionary<string, OpenApiMediaType>();
        if (!content.TryGetValue("application/json", out var json))
        {
            content["application/json"] = json = new OpenApiMediaType
            {
                Schema = new OpenApiSchema { Type = JsonSchemaType.Object },
            };
        }
        json.Example = JsonNode.Parse(page.Body);
        operation.RequestBody ??= new OpenApiRequestBody { Content = content };
    }

    private static void AddQuery(OpenApiOperation operation, ApiPage page)
    {
        foreach (var name in page.Query ?? [])
        {
            (operation.Parameters ??= []).Add(new OpenApiParameter
            {
                Name = name, In = ParameterLocation.Query,
                Schema = new OpenApiSchema { Type = JsonSchemaType.String },
            });
        }
    }

    /// <summary>The library's endpoints say no types; their answers are objects that begin as all
    /// do.</summary>
    private static void AddAnswers(
        OpenApiOperation operation, OpenApiDocument document, ApiPage page, string path)
    {
        var responses = operation.Responses ??= [];
        if (responses.TryGetValue("200", out var untyped) && untyped.Content is null or { Count: 0 }
            && untyped is OpenApiResponse bare)
        {
            bare.Content = Json(path.StartsWith("/api", StringComparison.Ordinal)
                ? new OpenApiSchemaReference(AnswerName, document)
                : new OpenApiSchema { Type = JsonSchemaType.Object });
        }
        if (path == "/api/auth/admin/revocations" && page.Body is not null)
        {
            responses["201"] = responses["200"];
        }
        if (path == "/api/auth/admin/audit" && responses["200"].Content is { } content)
        {
            content[Accepting.Csv] = new OpenApiMediaType
            {
                Schema = new OpenApiSchema { Type = JsonSchemaType.String },
            };
        }
        if (page.IsJournaled)
        {
            responses["202"] = new OpenApiResponse
            {
                Description = "The shared log is away: kept on this node's disk, refused here.",
                Content = responses["200"].Content,
            };
        }
        if (path == "/health/ready")
        {
            responses["503"] = responses["200"];
        }
    }

    private static OpenApiResponse Refusal(int status, OpenApiDocument document) => new()
    {
        Description = $"One of: {Codes[status]}.",
        Content = new Dictionary<string, OpenApiMediaType>
        {
            ["application/problem+json"] = new()
            {
                Schema = new OpenApiSchemaReference(ProblemName, document),
                Example = new JsonObject
                {
                    ["type"] = "about:blank", ["status"] = status, ["code"] = Codes[status].Split(',')[0],
                    ["title"] = Microsoft.AspNetCore.WebUtilities.ReasonPhrases.GetReasonPhrase(status),
                    ["detail"] = "A sentence for people.",
                },
            },
        },
    };

    private static Dictionary<string, OpenApiMediaType> Json(IOpenApiSchema schema) =>
        new() { ["application/json"] = new OpenApiMediaType { Schema = schema } };

    private static OpenApiSchema AnyAnswer() => new()
    {
        Type = JsonSchemaType.Object,
        Required = new HashSet<string> { "success", "message" },
        Properties = new Dictionary<string, IOpenApiSchema>
        {
            ["success"] = new OpenApiSchema { Type = JsonSchemaType.Boolean },
            ["message"] = new OpenApiSchema { Type = JsonSchemaType.String },
        },
        AdditionalPropertiesAllowed = true,
        AdditionalProperties = new OpenApiSchema(),
    };

    private static OpenApiSchema Problem() => new()
    {
        Description = "RFC 9457, with a code that programs may rely on.",
        Type = JsonSchemaType.Object,
        Required = new HashSet<string> { "type", "title", "status", "code", "detail" },
        Properties = new Dictionary<string, IOpenApiSchema>
        {
            ["type"] = new OpenApiSchema { Type = JsonSchemaType.String },
            ["title"] = new OpenApiSchema { Type = JsonSchemaType.String },
            ["status"] = new OpenApiSchema { Type = JsonSchemaType.Integer },
            ["code"] = new OpenApiSchema { Type = JsonSchemaType.String },
            ["detail"] = new OpenApiSchema { Type = JsonSchemaType.String },
            ["errors"] = new OpenApiSchema
            {
                Description = "What is wrong, by field.", Type = JsonSchemaType.Object,
                AdditionalProperties = new OpenApiSchema { Type = JsonSchemaType.Array },
            },
        },
    };
}
