using Rescind.Server.Settings;

namespace Rescind.Server.Operations;

/// <summary>What <c>REDIS_REQUIRED</c> and <c>REDIS_STRICT</c> ask for: the server stays down rather than run
/// without Redis, or on one that may lose revocations.</summary>
internal sealed class RedisGate(ServerSettings settings, RedisStore redis)
{
    /// <exception cref="StartRefusedException">Redis is not as the operator requires it.</exception>
    public async Task CheckAsync(CancellationToken cancel)
    {
        if (settings.Redis is not { } wanted || !(wanted.IsRequired || wanted.IsStrict))
        {
            return;
        }
        try
        {
            var findings = await redis.InspectAsync(cancel);
            if (wanted.IsStrict && findings.FirstOrDefault(one => one.IsUnsafe) is { } finding)
            {
                throw new StartRefusedException(
                    "REDIS_STRICT", finding.Sentence.TrimEnd('.'), "or remove the variable");
            }
        }
        catch (IOException fault) when (wanted.IsRequired)
        {
            throw new StartRefusedException(
                "REDIS_REQUIRED", fault.Message.TrimEnd('.'), "start Redis, or correct REDIS_URL");
        }
        catch (IOException)
        {
            // Strict alone is about what Redis is like; the blacklist warns that it cannot be reached, and
            // the log says what is unsafe once it can.
        }
    }
}
