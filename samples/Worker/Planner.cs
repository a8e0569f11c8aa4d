using PoolApi.Jobs.AspNetCore;

namespace Worker;

/// <summary>Asks for the report of each month of last year. The idempotency key makes a second start ask for nothing new.</summary>
public sealed class Planner(IJobs jobs) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        int year = DateTime.UtcNow.Year - 1;
        for (int number = 1; number <= 12; number++)
            await jobs.EnqueueAsync(new Month(year, number), new() { IdempotencyKey = $"{year}-{number:00}" }, stoppingToken);
    }
}
