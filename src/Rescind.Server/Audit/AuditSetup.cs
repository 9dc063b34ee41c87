using Microsoft.Data.Sqlite;
using Rescind.Server.Mirror;
using Rescind.Server.Operations;
using Rescind.Server.Records;
using Rescind.Server.Settings;

namespace Rescind.Server.Audit;

/// <summary>Puts the audit trail together.</summary>
internal static class AuditSetup
{
    public static void Add(IServiceCollection services)
    {
        services.AddHttpContextAccessor();
        services.AddSingleton(provider => provider.GetRequiredService<ServerSettings>().AuditKey);
        services.AddSingleton(OpenSpool);
        services.AddSingleton<AuditTally>();
        services.AddSingleton<AuditTrail>();
        services.AddSingleton<AuditFilter>();
        services.AddSingleton<AuditShipper>();
        services.AddHostedService(provider => provider.GetRequiredService<AuditShipper>());
        services.AddHostedService<LeftBehind>();
        services.AddSingleton<ListAudit>();
        services.AddSingleton<VerifyAudit>();

        // After the store, so that it stands before the records that are kept there.
        services.AddSingleton<IRevocationRecords>(provider => new AuditedRecords(
            RecordsOf(provider), provider.GetRequiredService<IHttpContextAccessor>(),
            provider.GetRequiredService<AuditTrail>()));
    }

    private static IRevocationRecords RecordsOf(IServiceProvider provider)
    {
        var records = provider.GetRequiredService<SqliteStore>().Records;
        if (provider.GetRequiredService<ServerSettings>().Database is not null)
        {
            records = ActivatorUtilities.CreateInstance<SharedRecords>(provider, records);
        }
        return provider.GetService<MirrorQueue>() is { } mirror
            ? new MirroredRecords(records, mirror)
            : records;
    }

    private static AuditSpool OpenSpool(IServiceProvider provider)
    {
        var settings = provider.GetRequiredService<ServerSettings>();
        var lines = provider.GetRequiredService<ILoggerFactory>().CreateLogger(ConsoleLines.AuditCategory);
        try
        {
            return new AuditSpool(
                settings.Data.MakeFile(AuditSpool.FileName), settings.Node, settings.AuditKey,
                provider.GetRequiredService<TimeProvider>(),
                rows =>
                {
                    foreach (var row in rows)
                    {
                        Log.Audit(lines, AuditBody.Of(row).ToJson());
                    }
                });
        }
        catch (SqliteException fault)
        {
            throw Refused($"SQLite error {fault.SqliteErrorCode}", fault);
        }
        catch (Exception fault) when (fault is InvalidDataException or UnauthorizedAccessException)
        {
            throw Refused(fault is InvalidDataException ? fault.Message : "no access to it", fault);
        }
    }

    private static StartRefusedException Refused(string why, Exception fault) => new(
        $"RESCIND_DATA/{AuditSpool.FileName} cannot be used ({why}); end the other process that uses this "
        + "folder, or repair or move the file away.", fault);
}
