namespace PoolApi.EndToEnd.Harness.Service;

/// <summary>The two forms in which the service is shipped. Both must behave alike.</summary>
public enum ServiceForm
{
    /// <summary>PoolApi.dll, run by `dotnet`.</summary>
    FrameworkDependent,

    /// <summary>The Native AOT binary of the container.</summary>
    NativeAot,
}

/// <summary>The form for a test that does not depend on the form.</summary>
internal static class AnyServiceForm
{
    extension(ServiceForm)
    {
        /// <summary>Native AOT if it can be published, because it starts with a fifth of the processor time. Otherwise PoolApi.dll.</summary>
        public static ServiceForm Any => AotPublication.IsPossible ? ServiceForm.NativeAot : ServiceForm.FrameworkDependent;
    }
}
