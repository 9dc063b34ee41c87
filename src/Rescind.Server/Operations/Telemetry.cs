using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using Rescind.Server.Settings;

namespace Rescind.Server.Operations;

/// <summary>Metrics and traces through OpenTelemetry: for Prometheus under <c>/metrics</c>, and pushed to
/// wherever the standard variables (<c>OTEL_EXPORTER_OTLP_ENDPOINT</c> and its kin) say.</summary>
internal static class Telemetry
{
    public static void Add(WebApplicationBuilder builder, ServerSettings settings)
    {
        builder.Services.AddSingleton<ServerMetrics>();
        builder.Services.AddSingleton<OperatorDoor>();
        var telemetry = builder.Services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService("rescind", serviceInstanceId: settings.Node))
            .WithMetrics(metrics => metrics
                .AddMeter("Rescind", ServerMetrics.MeterName)
                .AddMeter("Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel")
                .AddMeter("System.Runtime")
                .AddPrometheusExporter())
            .WithTracing(traces => traces.AddAspNetCoreInstrumentation());
        if (!string.IsNullOrWhiteSpace(builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]))
        {
            telemetry.UseOtlpExporter();
        }
    }
}
