namespace PoolApi.JobRoutes;

/// <summary>Where a job and what belongs to it is found: paths without a host, which is the client's to know.</summary>
internal static class JobLinks
{
    public const string Jobs = "/v1/jobs";

    public static string Self(Guid id) => $"{Jobs}/{id:D}";

    public static string Result(Guid id) => $"{Jobs}/{id:D}/result";

    public static string Events(Guid id) => $"{Jobs}/{id:D}/events";
}
