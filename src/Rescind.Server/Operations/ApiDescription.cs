// What /openapi/v1.json says beyond the endpoints' own types: a title, which calls need a bearer token, an
// example of each body, and every refusal with its codes. A call without a page, or without a type of its
// answer, fails the document, so none is forgotten.
using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.AspNetCore.Routing.Patterns;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.OpenApi;
using Rescind.Server.Answers;
using Rescind.Server.Tokens;

namespace Rescind.Server.Operations;

internal static class ApiDescription
{
    private const string Bearer = "bearer";
    private const string ProblemName = "Problem";

    private static readonly string[] OfBody =
    [
        "400 validation_failed", "400 malformed_json", "400 malformed_request", "413 body_too_large",
        "415 unsupported_media_type",
    ];

    private static readonly string[] OfQuery = ["400 validation_failed"];
    private static readonly string[] OfCaller = ["401 token_missing", .. ApiPages.OfToken];
    private static readonly string[] OfAdministrator = ["403 forbidden"];
    private static readonly string[] OfApi =
        ["406 not_acceptable", "429 rate_limited", "503 store_unavailable"];

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
            return Task.CompletedTask;
        });
        options.AddSchemaTransformer((schema, context, _) =>
        {
            Complete(schema, context);
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
        AddPath(operation, path);
        AddQuery(operation, page);
        AddAnswers(operation, page, path);
        var refusals = page.Refusals.ToHashSet(StringComparer.Ordinal);
        refusals.UnionWith(page.Body is not null ? OfBody : page.Query is not null ? OfQuery : []);
        refusals.UnionWith(needsCaller ? OfCaller : []);
        refusals.UnionWith(policies.Exists(policy => policy.Policy == Caller.AdminPolicy)
            ? OfAdministrator
            : []);
        refusals.UnionWith(path.StartsWith("/api", StringComparison.Ordinal) ? OfApi : []);
        foreach (var codes in refusals.GroupBy(one => one[..3], one => one[4..]).OrderBy(one => one.Key))
        {
            operation.Responses![codes.Key] = Refusal(codes.Key, [.. codes], context.Document!);
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

    /// <summary>What stands in the path, where the endpoint does not take it as an argument.</summary>
    private static void AddPath(OpenApiOperation operation, string path)
    {
        var names = RoutePatternFactory.Parse(path).Parameters.Select(parameter => parameter.Name);
        foreach (var name in names.Except((operation.Parameters ?? []).Select(parameter => parameter.Name!)))
        {
            (operation.Parameters ??= []).Add(new OpenApiParameter
            {
                Name = name, In = ParameterLocation.Path, Required = true,
                Schema = new OpenApiSchema { Type = JsonSchemaType.String },
            });
        }
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

    private static void AddAnswers(OpenApiOperation operation, ApiPage page, string path)
    {
        var responses = operation.Responses!;
        if (responses.Values.Any(answer => answer.Content is null or { Count: 0 }))
        {
            throw new InvalidOperationException($"{path} does not say what it answers.");
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
                Content = responses.GetValueOrDefault("201", responses["200"]).Content,
            };
        }
        if (path == "/health/ready")
        {
            responses["503"] = new OpenApiResponse
            {
                Description = "Not yet.", Content = responses["200"].Content,
            };
        }
    }

    private static OpenApiResponse Refusal(string status, string[] codes, OpenApiDocument document) => new()
    {
        Description = $"One of: {string.Join(", ", codes)}.",
        Content = new Dictionary<string, OpenApiMediaType>
        {
            ["application/problem+json"] = new()
            {
                Schema = new OpenApiSchemaReference(ProblemName, document),
                Example = new JsonObject
                {
                    ["type"] = "about:blank", ["status"] = int.Parse(status), ["code"] = codes[0],
                    ["title"] = ReasonPhrases.GetReasonPhrase(int.Parse(status)),
                    ["detail"] = "A sentence for people.",
                },
            },
        },
    };

    /// <summary>What the generator does not see: a field that nobody sets is in every answer, and what
    /// values a field may have.</summary>
    private static void Complete(OpenApiSchema schema, OpenApiSchemaTransformerContext context)
    {
        foreach (var field in context.JsonTypeInfo.Properties.Where(field => field.Set is null))
        {
            if (schema.Properties?.ContainsKey(field.Name) == true)
            {
                (schema.Required ??= new HashSet<string>()).Add(field.Name);
            }
        }
        var attributes = context.JsonPropertyInfo?.AttributeProvider?.GetCustomAttributes(inherit: true);
        if (attributes?.OfType<AllowedValuesAttribute>().FirstOrDefault() is { } allowed)
        {
            schema.Type &= ~JsonSchemaType.Null;
            schema.Enum = [.. allowed.Values.Select(value => JsonSerializer.SerializeToNode(value)!)];
        }
    }

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
                AdditionalProperties = new OpenApiSchema
                {
                    Type = JsonSchemaType.Array, Items = new OpenApiSchema { Type = JsonSchemaType.String },
                },
            },
        },
    };
}
