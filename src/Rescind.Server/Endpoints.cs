using Rescind.Server.Accounts;
using Rescind.Server.Administration;
using Rescind.Server.Answers;
using Rescind.Server.Audit;
using Rescind.Server.Limits;
using Rescind.Server.Operations;
using Rescind.Server.Revoking;
using Rescind.Server.Sessions;
using Rescind.Server.Settings;
using Rescind.Server.Tokens;

namespace Rescind.Server;

/// <summary>Every address of the server, in the order of the contract. Where somebody only
/// becomes a caller, a stray Authorization header is not even looked at.</summary>
internal static class Endpoints
{
    public static void Map(WebApplication app, ServerSettings settings)
    {
        var audit = app.Services.GetRequiredService<AuditFilter>();
        var auth = app.MapGroup("/api/auth").AddEndpointFilter(Accepting.Run).AddEndpointFilter(audit.Run)
            .AddEndpointFilter(BodyFilter.Run).WithTags("auth");
        MapAccounts(auth);
        MapRevoking(auth);
        app.MapGet("/api/users/profile", (Profile call, HttpContext context) => call.AnswerAsync(context))
            .RequireAuthorization().AddEndpointFilter(Accepting.Run).Produces<ProfileAnswer>()
            .WithTags("users");
        auth.MapGet("/security/status",
            (SecurityStatus call, HttpContext context) => call.AnswerAsync(context))
            .RequireAuthorization(Caller.AdminPolicy).Limit(Limit.Read).Produces<SecurityStatusAnswer>()
            .WithTags("administration");
        MapAdministration(
            auth.MapGroup("/admin").LimitAdministration().WithTags("administration"), settings);
        MapOperations(app);
    }

    private static void MapAccounts(RouteGroupBuilder auth)
    {
        auth.MapPost("/register", (Register call, JsonBody<CredentialsBody> body, HttpContext context) =>
            call.AnswerAsync(body.Value, context)).WithMetadata(StrayCaller.Mark)
            .Limit(Limit.Register).Produces<TokenAnswer>(201);
        auth.MapPost("/login", (LogIn call, JsonBody<CredentialsBody> body, HttpContext context) =>
            call.AnswerAsync(body.Value, context)).WithMetadata(StrayCaller.Mark).Produces<TokenAnswer>();
        foreach (var path in (ReadOnlySpan<string>)["/refresh-token", "/refresh"])
        {
            auth.MapPost(path, (Refresh call, JsonBody<RefreshBody> body, HttpContext context) =>
                call.AnswerAsync(body.Value, context)).WithMetadata(StrayCaller.Mark).Produces<TokenAnswer>();
        }
        auth.MapPost("/change-password",
            (ChangePassword call, JsonBody<ChangePasswordBody> body, HttpContext context) =>
                call.AnswerAsync(body.Value, context)).RequireAuthorization()
            .Limit(Limit.ChangePassword).Produces<TokenAnswer>();
        auth.MapPost("/forgot-password", (PasswordResets call, JsonBody<ForgotPasswordBody> body) =>
            call.Forgot(body.Value)).WithMetadata(StrayCaller.Mark).Limit(Limit.ForgotPassword)
            .Produces<PlainAnswer>();
        auth.MapPost("/verify-reset-token",
            (PasswordResets call, JsonBody<ResetPasswordBody> body, HttpContext context) =>
                call.VerifyAsync(body.Value, context)).WithMetadata(StrayCaller.Mark)
            .Limit(Limit.ResetPassword).Produces<PlainAnswer>();
        auth.MapPost("/reset-password",
            (PasswordResets call, JsonBody<ResetPasswordBody> body, HttpContext context) =>
                call.ResetAsync(body.Value, context)).WithMetadata(StrayCaller.Mark)
            .Limit(Limit.ResetPassword).Produces<PlainAnswer>();
        auth.MapDelete("/delete-account",
            (DeleteAccount call, JsonBody<DeleteAccountBody> body, HttpContext context) =>
                call.AnswerAsync(body.Value, context)).RequireAuthorization().Produces<DeleteAccountAnswer>();
        auth.MapGet("/sessions", (ListSessions call, HttpContext context) =>
            call.AnswerAsync(Caller.Of(context).Subject, context))
            .RequireAuthorization().Produces<ListSessionsAnswer>();
        auth.MapDelete("/sessions/{session_id}", (string session_id, EndSession call, HttpContext context) =>
            call.AnswerAsync(session_id, context)).RequireAuthorization().Limit(Limit.Logout)
            .Produces<EndSessionAnswer>();
        auth.MapGet("/token/validate", (ValidateToken call, HttpContext context) => call.Answer(context))
            .RequireAuthorization().Produces<ValidateTokenAnswer>();
    }

    private static void MapRevoking(RouteGroupBuilder auth)
    {
        auth.MapPost("/logout", (LogOut call, JsonBody<RefreshBody> body, HttpContext context) =>
            call.AnswerAsync(body.Value, context)).AllowAnonymous().Limit(Limit.Logout)
            .Produces<LogOutAnswer>();
        auth.MapPost("/logout-all", (LogOutAll call, HttpContext context) => call.AnswerAsync(context))
            .RequireAuthorization().Limit(Limit.Logout).Produces<LogOutAllAnswer>();
        auth.MapPost("/revoke", (RevokeToken call, JsonBody<RevokeBody> body, HttpContext context) =>
            call.AnswerAsync(body.Value, context)).RequireAuthorization().Limit(Limit.Revoke)
            .Produces<RevokeTokenAnswer>();
    }

    private static void MapAdministration(RouteGroupBuilder admin, ServerSettings settings)
    {
        admin.MapPost("/revoke-user-tokens",
            (RevokeUserTokens call, JsonBody<RevokeUserTokensBody> body, HttpContext context) =>
                call.AnswerAsync(body.Value, context))
            .RequireAuthorization(Caller.AdminPolicy).Produces<RevokeUserTokensAnswer>();
        admin.MapPost("/revoke-token-by-jti",
            (RevokeTokenById call, JsonBody<RevokeTokenByIdBody> body, HttpContext context) =>
                call.AnswerAsync(body.Value, context))
            .RequireAuthorization(Caller.AdminPolicy).Produces<RevokeTokenByIdAnswer>();
        admin.MapPost("/security-incident",
            (SecurityIncident call, JsonBody<SecurityIncidentBody> body, HttpContext context) =>
                call.AnswerAsync(body.Value, context))
            .RequireAuthorization(Caller.AdminPolicy).Produces<SecurityIncidentAnswer>();
        admin.MapGet("/user-blacklisted-tokens/{user_id}",
            (string user_id, BlacklistedTokens call, HttpContext context) =>
                call.AnswerAsync(user_id, context))
            .RequireAuthorization(Caller.AdminPolicy).Produces<BlacklistedTokensAnswer>();
        admin.MapPost("/import-users",
            (ImportUsers call, JsonBody<ImportUsersBody> body, HttpContext context) =>
                call.AnswerAsync(body.Value, context))
            .RequireAuthorization(Caller.AdminPolicy).Produces<ImportUsersAnswer>();
        MapUsers(admin.MapGroup("/users").RequireAuthorization(Caller.AdminPolicy));
        admin.MapGet("/audit", (ListAudit call, HttpContext context) => call.AnswerAsync(context))
            .RequireAuthorization(Caller.AdminPolicy)
            .Produces<ListAuditAnswer>(200, Accepting.Json, Accepting.Csv);
        admin.MapGet("/audit/verify", (VerifyAudit call, HttpContext context) => call.AnswerAsync(context))
            .RequireAuthorization(Caller.AdminPolicy).Produces<VerifyAuditAnswer>();
        IEndpointConventionBuilder library = admin.MapTokenBlacklistAdmin(Caller.AdminPolicy, settings.Issuer)
            .AddEndpointFilter(AuditFilter.Complete);
        library.Add(LibraryAnswers.Describe);
    }

    private static void MapUsers(RouteGroupBuilder users)
    {
        users.MapGet("", (Users call, HttpContext context) => call.FindAsync(context))
            .Produces<UsersAnswer>();
        users.MapPatch("/{id}",
            (string id, Users call, JsonBody<ChangeUserBody> body, HttpContext context) =>
                call.ChangeAsync(id, body.Value, context)).Produces<ChangeUserAnswer>();
        users.MapGet("/{id}/sessions", (string id, ListSessions call, HttpContext context) =>
            call.AnswerAsync(id, context)).Produces<ListSessionsAnswer>();
        users.MapDelete("/{id}/sessions", (string id, RevokeUserTokens call, HttpContext context) =>
            call.AnswerAsync(new RevokeUserTokensBody { UserId = id, Reason = "admin_action" }, context))
            .Produces<RevokeUserTokensAnswer>();
    }

    private static void MapOperations(WebApplication app)
    {
        app.MapGet("/", () => TypedResults.Json(Welcome.Answer))
            .Produces<Welcome>().WithTags("operations");
        app.MapGet("/health/live", () => TypedResults.Json(Liveness.Answer))
            .Produces<HealthBody>().WithTags("operations");
        app.MapGet("/health/ready", (Readiness call, HttpContext context) => call.AnswerAsync(context))
            .Produces<HealthBody>().WithTags("operations");
        app.MapOpenApi();
        app.MapPrometheusScrapingEndpoint();
    }
}
