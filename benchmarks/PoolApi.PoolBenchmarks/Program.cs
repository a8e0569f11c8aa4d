using System.Runtime;
using System.Runtime.InteropServices;
using PoolApi.PoolBenchmarks;
using PoolApi.PoolBenchmarks.Measurements;
using PoolApi.PoolBenchmarks.Reporting;

const int Success = 0, BarMissed = 1;

if (!CommandLine.TryRead(() => Settings.Parse(args), static () => Settings.Usage, out Settings? settings, out int exitCode)) return exitCode;

Console.WriteLine($"{RuntimeInformation.FrameworkDescription}, {Environment.ProcessorCount} processors, "
    + $"{(GCSettings.IsServerGC ? "server" : "workstation")} GC");
Console.WriteLine($"{settings.Workers} workers, {settings.Rounds} or {settings.ManyRounds} rounds, {settings.Items:N0} items, {settings.Pings:N0} round trips");

var report = new Report();
foreach (IMeasurement measurement in MeasurementCatalogue.All)
{
    if (!settings.Selects(measurement)) continue;
    // Progress, not result: a redirected standard output holds the tables only.
    Console.Error.WriteLine($"{DateTime.Now:HH:mm:ss} {measurement.Name}: {measurement.Summary}");
    measurement.Run(settings, report);
}
report.PrintBars();
return report.AllPassed ? Success : BarMissed;
