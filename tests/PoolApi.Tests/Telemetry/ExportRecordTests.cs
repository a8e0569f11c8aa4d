using OpenTelemetry;
using OpenTelemetry.Exporter;
using PoolApi.Telemetry;

namespace PoolApi.Tests.Telemetry;

/// <summary>The record of an exporter never throws, because an unhandled exception on the thread that exports traces would end the process.</summary>
public sealed class ExportRecordTests
{
    [Fact]
    public void An_export_is_recorded_although_the_log_throws()
    {
        using var log = new ThrowingLog();
        var record = new ExportRecord("traces", new OtlpExporterOptions(), log.For<ExportRecordTests>);

        Assert.True(record.TryBegin());
        Assert.Equal(ExportResult.Failure, record.End(ExportResult.Failure));
        Assert.Equal((1, true, true), (log.Thrown, record.HasFailed, record.Idle.IsCompleted));

        Assert.True(record.TryBegin());
        Assert.Equal(ExportResult.Success, record.End(ExportResult.Success));
        Assert.Equal((2, true), (log.Thrown, record.Idle.IsCompleted));
    }

    [Fact]
    public void An_export_is_recorded_although_the_log_has_been_disposed()
    {
        var record = new ExportRecord("traces", new OtlpExporterOptions(), static () => throw new ObjectDisposedException("log"));
        Assert.True(record.TryBegin());
        Assert.Equal(ExportResult.Failure, record.End(ExportResult.Failure));
        Assert.Equal((true, true), (record.HasFailed, record.Idle.IsCompleted));
    }
}
