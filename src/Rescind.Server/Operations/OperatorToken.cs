using System.Security.Cryptography;
using System.Text;
using Rescind.Server.Answers;
using Rescind.Server.Tokens;

namespace Rescind.Server.Operations;

/// <summary>Lets in whoever shows <c>METRICS_TOKEN</c>; what such calls tell is for the operator. The
/// comparison takes the same time for every guess.</summary>
internal sealed class OperatorToken(string token)
{
    private readonly byte[] _hash = SHA256.HashData(Encoding.UTF8.GetBytes(token));

    public ValueTask<object?> Run(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var shown = Caller.BearerOf(context.HttpContext.Request);
        if (shown is null)
        {
            return ValueTask.FromResult<object?>(Refusals.NoToken);
        }
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(shown));
        return CryptographicOperations.FixedTimeEquals(hash, _hash)
            ? next(context)
            : ValueTask.FromResult<object?>(Refusals.Invalid);
    }
}
