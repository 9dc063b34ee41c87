using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;

namespace Rescind.AspNetCore;

/// <summary>A call to the blacklist that may fail because of its store: the result, or the answer that says
/// so.</summary>
internal readonly record struct StoreCall<T>(T? Result, Problem? Fault);

/// <summary>Turns the faults that the blacklist states into answers, and logs each.</summary>
internal static class StoreCall
{
    private static readonly Problem Full = new(
        StatusCodes.Status503ServiceUnavailable, "store_full",
        "The blacklist takes no more revocations: BlacklistOptions.MostRevocations is reached.");

    public static async ValueTask<StoreCall<T>> TryAsync<T>(
        HttpContext context, ILogger logger, Func<CancellationToken, ValueTask<T>> call)
    {
        try
        {
            return new(await call(context.RequestAborted), null);
        }
        catch (IOException fault)
        {
            Log.StoreUnavailable(logger, NameOf(context), fault.Message);
            return new(default, Problem.StoreUnavailable);
        }
        catch (InvalidOperationException fault)
        {
            Log.StoreUnavailable(logger, NameOf(context), fault.Message);
            // A log says with a type of its own why it takes nothing, as Redis does of other settings.
            var isFull = fault.GetType() == typeof(InvalidOperationException);
            return new(default, isFull ? Full : Problem.StoreUnavailable);
        }
    }

    private static string NameOf(HttpContext context) =>
        $"{context.Request.Method} {(context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText}";
}
