using System.Diagnostics;
using System.Security.Cryptography;
using PoolApi.Documentation;
using PoolApi.Jobs.AspNetCore;
using PoolApi.JobSetup;
using PoolApi.Requests;

namespace PoolApi.Diagnostics;

/// <summary>Work of known cost, to try the pool and to measure it. Only with <c>Workloads:Diagnostics</c>.</summary>
internal static class DiagnosticsEndpoints
{
    public const string Tag = "diagnostics";
    public const string TagDescription = "Work of known cost, to try the pool and to measure it.";
    private const int ProgressMs = 100;
    private static readonly string[] Methods = ["GET", "POST"];

    public static void MapDiagnostics(this IEndpointRouteBuilder endpoints, bool jobs)
    {
        RouteGroupBuilder group = endpoints.MapGroup("/v1/diagnostics").WithTags(Tag);

        group.MapMethods("/noop", Methods, static () => TypedResults.Text("done\n"))
            .AllowJobsIf(jobs)
            .RunOnPool()
            .WithTextResponse()
            .WithOperationId("runNoop", byPost: "runNoopByPost")
            .WithSummary("Nothing, on the pool: what the way through the queue costs.");

        group.MapMethods("/inline", Methods, static () => TypedResults.Text("done\n"))
            .WithTextResponse()
            .WithOperationId("runInline", byPost: "runInlineByPost")
            .WithSummary("The same nothing, not on the pool: what noop is compared with.");

        group.MapMethods("/sleep", Methods, static (SleepRequest request, JobContext? job, CancellationToken cancellation) =>
            {
#pragma warning disable RS0030 // This route shows work that blocks its worker and ignores cancellation.
                if (request.Uncooperative) Thread.Sleep(request.Milliseconds);
#pragma warning restore RS0030
                else Sleep(request.Milliseconds, job, cancellation);
                return TypedResults.Text("done\n");
            })
            .RefuseHead(static context => SleepRequest.Read(context).Refusal)
            .RefuseInvalid()
            .AllowJobsIf(jobs)
            .RunOnPool()
            .WithParameters(SleepRequest.Duration, SleepRequest.IsUncooperative)
            .WithProblems(CommonProblems.InvalidRequest)
            .WithTextResponse()
            .WithOperationId("runSleep", byPost: "runSleepByPost")
            .WithSummary("Blocks a worker for a time.");

        group.MapMethods("/hash", Methods, static (HashRequest request, CancellationToken cancellation) =>
            {
                // Checked once: the derivation is a single call into the system's cryptography, which cannot be interrupted.
                cancellation.ThrowIfCancellationRequested();
                byte[] key = Rfc2898DeriveBytes.Pbkdf2(
                    "correct horse battery staple"u8, "0123456789abcdef"u8, request.Iterations, HashAlgorithmName.SHA256, 32);
                return TypedResults.Text(Convert.ToHexStringLower(key) + "\n");
            })
            .RefuseHead(static context => HashRequest.Read(context).Refusal)
            .RefuseInvalid()
            .AllowJobsIf(jobs)
            .RunOnPool()
            .WithParameters(HashRequest.Count)
            .WithProblems(CommonProblems.InvalidRequest)
            .WithTextResponse()
            .WithOperationId("runHash", byPost: "runHashByPost")
            .WithSummary("Uses the CPU: PBKDF2-HMAC-SHA256 of a fixed text.");
    }

    /// <summary>Blocks the worker until the time is over or the work is cancelled. As a job, it reports its progress.</summary>
    private static void Sleep(int milliseconds, JobContext? job, CancellationToken cancellation)
    {
        long since = Stopwatch.GetTimestamp();
        for (int left = milliseconds; left > 0; left = milliseconds - (int)Stopwatch.GetElapsedTime(since).TotalMilliseconds)
        {
            if (cancellation.WaitHandle.WaitOne(job is null ? left : Math.Min(left, ProgressMs))) cancellation.ThrowIfCancellationRequested();
            job?.Report(Math.Min(1, Stopwatch.GetElapsedTime(since).TotalMilliseconds / milliseconds));
        }
    }

    internal sealed record SleepRequest(int Milliseconds, bool Uncooperative, IResult? Refusal) : IValidatedRequest
    {
        public static readonly RequestParameter<int> Duration =
            RequestParameter.WholeNumber("ms", "How long, in milliseconds.", 0, 3_600_000, isRequired: true, example: 100);

        public static readonly RequestParameter<bool> IsUncooperative = RequestParameter.Flag("uncooperative", "Do not wake on cancellation.");

        public static ValueTask<SleepRequest?> BindAsync(HttpContext context) => ValueTask.FromResult<SleepRequest?>(Read(context));

        public static SleepRequest Read(HttpContext context)
        {
            var faults = new RequestFaults(context);
            return new SleepRequest(Duration.Read(context, faults), IsUncooperative.Read(context, faults), faults.Refusal);
        }
    }

    internal sealed record HashRequest(int Iterations, IResult? Refusal) : IValidatedRequest
    {
        public static readonly RequestParameter<int> Count =
            RequestParameter.WholeNumber("iterations", "How many.", 1, 10_000_000, isRequired: true, example: 25_000);

        public static ValueTask<HashRequest?> BindAsync(HttpContext context) => ValueTask.FromResult<HashRequest?>(Read(context));

        public static HashRequest Read(HttpContext context)
        {
            var faults = new RequestFaults(context);
            return new HashRequest(Count.Read(context, faults), faults.Refusal);
        }
    }
}
