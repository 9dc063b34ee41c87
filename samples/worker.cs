#:project ../src/Rescind/Rescind.csproj
#:project ../src/Rescind.Sqlite/Rescind.Sqlite.csproj
#:property PublishAot=false

// The core without ASP.NET: for a gateway, a message handler, a test. dotnet run samples/worker.cs
using Rescind;

var path = args.FirstOrDefault() ?? Path.Combine(Path.GetTempPath(), "rescind-sample", "rescind.db");
await using var store = SqliteStore.Open(path);
var blacklist = new Blacklist(log: store.Log, records: store.Records);
await blacklist.LoadAsync();
using var stop = new CancellationTokenSource();
var following = blacklist.RunAsync(stop.Token);

var now = DateTimeOffset.UtcNow;
var token = new TokenFacts
{
    Issuer = "https://issuer.example", TokenId = Guid.NewGuid().ToString(), Subject = "user-1",
    Session = "session-1", IssuedAt = now, ExpiresAt = now.AddMinutes(30),
};
Console.WriteLine($"before: {blacklist.Check(token)}");

var receipt = await blacklist.RevokeAsync(
    Revocation.OfToken(token.Issuer, token.TokenId, token.ExpiresAt) with { Reason = "logout", Actor = "user-1" });
Console.WriteLine($"after:  {blacklist.Check(token)}, {receipt.State}");

foreach (var rule in (await blacklist.ExplainAsync(token)).Rules)
{
    Console.WriteLine($"why:    {rule.Kind} rule, {rule.Reason} by {rule.Actor} at {rule.MadeAt:O}");
}
await stop.CancelAsync();
await following;
