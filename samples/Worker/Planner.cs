using PoolApi.Jobs.AspNetCore;

namespace Worker;

/// <summary>Enqueues the report of each month of last year. With the idempotency keys, a second start enqueues nothing new.</summary>
public sealed class Planner(IJobs jobs) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        int year = DateTime.UtcNow.Year - 1;
        for (int number = 1; number <= 12; number++)
            await jobs.EnqueueAsync(new Month(year, number), new() { IdempotencyKey = $"{year}-{number:00}" }, stoppingToken);
    }
}
