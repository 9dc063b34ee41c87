#:sdk Microsoft.NET.Sdk.Web
#:project ../src/Rescind.AspNetCore/Rescind.AspNetCore.csproj
#:project ../src/Rescind.Sqlite/Rescind.Sqlite.csproj
#:property PublishAot=false

// An API that already validates JWTs, and what it takes to end them: dotnet run samples/minimal-api.cs
using System.Text;
using Microsoft.IdentityModel.Tokens;

var builder = WebApplication.CreateBuilder(args);
builder.Services.AddAuthentication().AddJwtBearer(bearer =>
{
    // Your own issuer stands here: Authority and Audience of Keycloak, Entra, Auth0. The sample shares a secret.
    var secret = Environment.GetEnvironmentVariable("SAMPLE_SECRET") ?? "a secret of at least 32 bytes, for trying";
    bearer.MapInboundClaims = false;
    bearer.TokenValidationParameters = new TokenValidationParameters
    {
        ValidIssuer = "https://issuer.example", ValidAudience = "sample",
        IssuerSigningKey = new SymmetricSecurityKey(Encoding.UTF8.GetBytes(secret)) { KeyId = "sample" },
    };
});
builder.Services.AddAuthorizationBuilder()
    .AddPolicy("admin", policy => policy.RequireClaim("role", "admin"));

// <readme>
builder.Services.AddTokenBlacklist()          // every bearer scheme now refuses revoked tokens
    .UseSqlite("rescind.db")                  // without a store: in memory, and health says so
    .RememberVerified();                      // and verifies the signature of each only once in a while

var app = builder.Build();
app.MapLogout();                              // POST /logout ends the caller's token and its session
app.MapTokenBlacklistAdmin("admin");          // revoke, list, lift, explain, metrics; the policy must exist
// </readme>

app.MapGet("/me", (HttpContext context) => context.User.FindFirst("sub")?.Value).RequireAuthorization();
app.MapHealthChecks("/health");
app.Run();
